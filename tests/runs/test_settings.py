from yolox_attn.runs import identify_data

DATA = {"dir": "d", "train_ann": "t", "val_ann": "v", "train_sha256": "a", "val_sha256": "b"}


def test_data_are_known_by_content_wherever_they_lie() -> None:
    assert identify_data(DATA) == identify_data({**DATA, "dir": "moved", "train_ann": "renamed"})
    assert identify_data(DATA) != identify_data({**DATA, "val_sha256": "c"})


def test_without_hashes_the_place_counts() -> None:
    unknown = {**DATA, "val_sha256": None}
    assert identify_data(unknown) != identify_data({**unknown, "dir": "moved"})
    assert identify_data(unknown) != identify_data({**unknown, "train_ann": "renamed"})

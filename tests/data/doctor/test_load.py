import pytest

from yolox_attn.data.doctor.run import load_split


def load(folder, tmp_path, name):
    file = folder / "annotations" / "instances_train2017.json"
    return load_split(file, name, "train", tmp_path / "scratch")


@pytest.mark.parametrize("name", ["train2017", None])
def test_a_sound_split_is_loaded_whole(folder, tmp_path, name):
    dataset, findings = load(folder, tmp_path, name)
    assert len(dataset) == 2
    assert not any(each.count for each in findings)


@pytest.mark.parametrize("name", ["train2017", None])
def test_of_a_broken_split_all_faults_are_told_and_the_rest_is_loaded(
    folder, spoil, tmp_path, name
):
    spoil(lambda c: c["annotations"][0].update(category_id=77))
    (folder / "train2017" / "train2.png").unlink()
    before = (folder / "annotations" / "instances_train2017.json").read_bytes()
    dataset, findings = load(folder, tmp_path, name)
    assert [(each.code, each.split) for each in findings] == [
        ("json_annotations", "train"), ("missing", "train")
    ]  # fmt: skip
    assert [image["id"] for image in dataset.coco.dataset["images"]] == [1]
    assert dataset.load_image(0).shape == (30, 40, 3)
    assert (folder / "annotations" / "instances_train2017.json").read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}'])
def test_of_no_coco_file_nothing_is_left(folder, tmp_path, text):
    (folder / "annotations" / "instances_train2017.json").write_text(text)
    dataset, findings = load(folder, tmp_path, "train2017")
    assert dataset is None
    assert {each.level for each in findings} == {"error"}

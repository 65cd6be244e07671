import hashlib

import pytest

from yolox_attn.data.doctor import examine_splits, load_split
from yolox_attn.errors import InputError


@pytest.fixture
def examine(load):
    """Return a function that examines both splits of the folder."""

    def run(num_classes=2, **options):
        splits = {"train": load("train"), "val": load("val")}
        return examine_splits(splits, num_classes=num_classes, **options)

    return run


def state_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(file, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


def codes(findings):
    return [each.code for each in findings]


@pytest.mark.parametrize("full", [True, False])
def test_findings_of_all_parts_come_together(examine, spoil, full):
    def fault(content):
        content["annotations"][0].update(bbox=[-10, 0, 20, 20])
        content["images"][1].update(width=50)

    folder = spoil(fault)
    before = state_of(folder)
    report = examine(num_classes=3, full=full)
    assert codes(report.errors) == ["wrong_size"]
    assert set(codes(report.warnings)) == {"num_classes", "overlap"}
    assert codes(report.repairs) == ["clipped"]
    assert report.scope()[0] == "examined train: 2 images, 2 boxes, 2 classes; every image read"
    with pytest.raises(InputError, match=r"train2\.png: 40x30, the json says 50x30"):
        report.refuse()
    assert state_of(folder) == before  # repaired in memory alone


def test_boxes_are_not_judged_by_a_wrong_size(examine, spoil):
    spoil(lambda c: c["images"][0].update(width=4))
    report = examine(full=True)
    assert codes(report.errors) == ["wrong_size"]
    assert report.repairs == []
    assert set(codes(report.warnings)) <= {"overlap", "repeated_images"}


def test_max_labels_is_looked_at_where_it_is_given(examine):
    found = examine(max_labels=0).warnings
    assert ("train", "max_labels", 2) in [(e.split, e.code, e.count) for e in found]
    assert "max_labels" not in codes(examine().warnings)


def test_a_test_split_is_compared_with_train(load, spoil):
    spoil(lambda c: c["categories"][0].update(name="other"))
    report = examine_splits({"train": load("train"), "test": load("val")}, num_classes=2)
    assert [(e.code, e.split) for e in report.errors] == [("categories", "test")]
    assert [(e.code, e.split) for e in report.warnings] == [("overlap", "test")]


def load_train(folder, tmp_path, name):
    file = folder / "annotations" / "instances_train2017.json"
    return load_split(file, name, "train", tmp_path / "scratch")


@pytest.mark.parametrize("name", ["train2017", None])
def test_a_sound_split_is_loaded_whole(folder, tmp_path, name):
    dataset, findings = load_train(folder, tmp_path, name)
    assert len(dataset) == 2
    assert not any(each.count for each in findings)


@pytest.mark.parametrize("name", ["train2017", None])
def test_of_a_broken_split_all_faults_are_found_and_the_sound_part_is_loaded(
    folder, spoil, tmp_path, name
):
    spoil(lambda c: c["annotations"][0].update(category_id=77))
    (folder / "train2017" / "train2.png").unlink()
    before = (folder / "annotations" / "instances_train2017.json").read_bytes()
    dataset, findings = load_train(folder, tmp_path, name)
    assert [(each.code, each.split) for each in findings] == [
        ("json_annotations", "train"), ("missing", "train")
    ]  # fmt: skip
    assert [image["id"] for image in dataset.coco.dataset["images"]] == [1]
    assert dataset.load_image(0).shape == (30, 40, 3)
    assert (folder / "annotations" / "instances_train2017.json").read_bytes() == before


@pytest.mark.parametrize("text", ["{", "[]", '{"images": []}'])
def test_of_no_coco_file_nothing_is_left(folder, tmp_path, text):
    (folder / "annotations" / "instances_train2017.json").write_text(text)
    dataset, findings = load_train(folder, tmp_path, "train2017")
    assert dataset is None
    assert {each.level for each in findings} == {"error"}

import hashlib

import pytest

from yolox_attn.data.doctor import examine
from yolox_attn.data.doctor.run import load_split
from yolox_attn.errors import InputError


def state_of(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(file, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


@pytest.mark.parametrize("full", [True, False])
def test_findings_of_all_parts_come_together(load, spoil, full):
    def fault(content):
        content["annotations"][0].update(bbox=[-10, 0, 20, 20])
        content["images"][1].update(width=50)

    folder = spoil(fault)
    before = state_of(folder)
    report = examine(load("train"), load("val"), num_classes=3, full=full)
    assert [each.code for each in report.errors] == ["wrong_size"]
    assert {"num_classes", "overlap"} == {each.code for each in report.warnings}
    assert [each.code for each in report.repairs] == ["clipped"]
    with pytest.raises(InputError, match=r"train2\.png: 40x30, the json says 50x30"):
        report.refuse()
    assert state_of(folder) == before  # repaired in memory alone


def test_boxes_are_not_judged_by_a_wrong_size(load, spoil):
    spoil(lambda c: c["images"][0].update(width=4))
    report = examine(load("train"), load("val"), num_classes=2, full=True)
    assert [each.code for each in report.errors] == ["wrong_size"]
    assert report.repairs == ()
    assert {each.code for each in report.warnings} <= {"overlap", "repeated_images"}


def test_max_labels_is_looked_at_where_it_is_given(load):
    told = examine(load("train"), load("val"), num_classes=2, max_labels=0)
    assert ("train", "max_labels", 2) in [(e.split, e.code, e.count) for e in told.warnings]
    told = examine(load("train"), load("val"), num_classes=2)
    assert "max_labels" not in [each.code for each in told.warnings]


def test_the_examined_data_are_as_they_were(load):
    train = load("train")
    before = [labels.tolist() for labels, *_ in train.annotations]
    examine(train, load("val"), num_classes=2)
    assert [labels.tolist() for labels, *_ in train.annotations] == before


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

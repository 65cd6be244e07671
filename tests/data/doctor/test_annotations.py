import pytest

from yolox_attn.data.doctor.annotations import (
    examine_boxes,
    examine_classes,
    examine_names,
    examine_room,
)


def found(dataset, split="train"):
    return {e.code: (e.level, e.count) for e in examine_boxes(dataset, split) if e.count}


def change(**values):
    return lambda content: content["annotations"][0].update(**values)


def test_sound_boxes_are_sound(load):
    assert found(load("train")) == found(load("val"), "val") == {}


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (change(bbox=[-10, 0, 20, 20]), {"clipped": ("repaired", 1)}),
        (change(bbox=[30, 20, 20, 20]), {"clipped": ("repaired", 1)}),
        (change(bbox=[5, 5, 0, 10]), {"dropped": ("repaired", 1)}),
        (change(bbox=[50, 5, 10, 10], area=100), {"dropped": ("repaired", 1)}),
        (change(bbox=[5, 5, 0.5, 10], area=5), {"tiny_boxes": ("warning", 1)}),
        (change(bbox=[0, 5, 40, 0.9], area=36), {"tiny_boxes": ("warning", 1)}),
        (change(area=500), {"large_areas": ("warning", 1)}),
        (change(area=None), {"area": ("repaired", 1)}),
        (change(area=float("nan")), {"area": ("repaired", 1)}),
        (change(iscrowd=None), {"iscrowd": ("repaired", 1)}),
        (change(iscrowd=1), {"crowds": ("warning", 1)}),
        (change(id=0), {"ids": ("repaired", 2)}),
        (lambda c: c["annotations"].append(c["annotations"][0] | {"id": 9}),
         {"repeated_boxes": ("warning", 1)}),
        (lambda c: c.update(annotations=[]), {"no_annotations": ("error", 1)}),
        (lambda c: [e.update(iscrowd=1) for e in c["annotations"]],
         {"no_boxes": ("error", 1), "only_crowds": ("error", 1), "crowds": ("warning", 2)}),
        (lambda c: [e.update(bbox=[90, 90, 9, 9], area=81) for e in c["annotations"]],
         {"no_boxes": ("error", 1), "dropped": ("repaired", 2)}),
        (lambda c: [e.update(bbox=[20, 20, -9, -9], area=81) for e in c["annotations"]],
         {"no_boxes": ("error", 1), "dropped": ("repaired", 2)}),
        (lambda c: [e.update(bbox=[0.1, 0.1, 0.5, 0.3], area=0.15) for e in c["annotations"]],
         {"normalised_boxes": ("error", 2)}),
    ],
)  # fmt: skip
def test_faults_of_boxes(load, spoil, fault, expected):
    spoil(fault)
    assert found(load("train")) == expected


def test_very_long_boxes(load, spoil):
    def stretch(content):
        content["images"][0].update(width=400)
        content["annotations"][0].update(bbox=[0, 0, 300, 2], area=600)

    spoil(stretch)
    assert found(load("train")) == {"long_boxes": ("warning", 1)}


def test_corners_instead_of_sides(load, spoil):
    def corners(content):
        content["annotations"] = [
            {"id": n, "image_id": 1, "category_id": 7, "bbox": [15 + n, 12, 28 + n, 25]}
            for n in range(1, 12)
        ]

    spoil(corners)
    faults = found(load("train"))
    assert faults.pop("corner_boxes") == ("error", 11)
    assert set(faults) == {"area", "iscrowd"}  # not clipped, which follows from the mistake


@pytest.mark.parametrize(
    ("box", "code"), [([5, 5, 0, 10], "empty_boxes"), ([-10, 0, 20, 20], "clipped")]
)
def test_what_evaluation_judges_as_written_is_not_called_repaired(load, spoil, box, code):
    spoil(change(bbox=box))
    assert found(load("train"), "val") == {code: ("warning", 1)}


@pytest.mark.parametrize("split", ["train", "val"])
def test_boxes_far_larger_than_their_image(load, spoil, split):
    spoil(change(bbox=[0, 0, 1e7, 1e7]))
    assert found(load("train"), split)["absurd_size"] == ("warning", 1)
    spoil(change(bbox=[0, 0, 4 * 40, 4 * 30]))
    assert "absurd_size" not in found(load("train"), split)


def test_images_with_more_boxes_than_a_sample_holds(load, spoil):
    spoil(lambda c: c["annotations"].append(c["annotations"][0] | {"id": 9, "bbox": [1, 1, 5, 5]}))
    assert examine_room(load("train"), "train", 2).count == 0
    assert examine_room(load("train"), "train", 1).examples == ("train1.png: 2 boxes",)


def test_a_test_split_may_lack_annotations(load, spoil):
    spoil(lambda c: c.update(annotations=[]))
    assert found(load("train"), "test") == {"no_annotations": ("warning", 1)}


def test_examples_name_annotation_image_and_box(load, spoil):
    spoil(change(bbox=[-10, 0, 20, 20]))
    (clipped,) = (each for each in examine_boxes(load("train"), "train") if each.count)
    assert clipped.examples == ("annotation 1 of train1.png: [-10, 0, 20, 20]",)


def summary(findings):
    return {(e.level, e.code, e.split): (e.count, e.examples) for e in findings if e.count}


def test_equal_splits_have_no_findings(load):
    train, val = load("train"), load("val")
    assert summary(examine_classes(train, val, 2)) == {}
    assert summary(examine_names(train, "train")) == {}


def test_a_category_less_shifts_the_indices(load, spoil):
    def remove(content):
        content["categories"].pop()
        content["annotations"].pop()

    spoil(remove)
    findings = summary(examine_classes(load("train"), load("val"), 2))
    assert findings["error", "categories", "both"] == (1, ("3 'three'",))


def test_a_class_that_one_split_or_both_lack(load, spoil):
    spoil(lambda c: c["annotations"].pop())
    train, val = load("train"), load("val")
    for pair, split in (((train, val), "train"), ((val, train), "val"), ((train, train), "both")):
        absent = {("warning", "class_absent", split): (1, ("three",))}
        assert summary(examine_classes(*pair, 2)) == absent


def test_number_of_classes(load):
    train, val = load("train"), load("val")
    assert summary(examine_classes(train, val, 5)) == {("warning", "num_classes", "train"): (1, ())}
    assert summary(examine_classes(train, val, 1)).keys() == {
        ("error", "num_classes", "train"), ("error", "num_classes", "val")
    }  # fmt: skip


def test_file_listed_twice_and_background(load, spoil):
    spoil(lambda c: [c["images"].append(c["images"][0] | {"id": n}) for n in (8, 9, 10)])
    assert summary(examine_names(load("train"), "train")) == {
        ("warning", "listed_twice", "train"): (1, ("train1.png",)),
        ("warning", "background", "train"): (3, ("train1.png",) * 3),
    }

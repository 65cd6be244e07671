import copy
import json

import pytest

from yolox_attn.coco.annotations import read_json, read_truth, truth_from
from yolox_attn.errors import InputError

OBJECT = {"id": 0, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "area": 5, "iscrowd": 0}
CONTENT = {
    "images": [{"id": 9}, {"id": 7, "video": "a"}],
    "categories": [{"id": 5, "name": "dog"}, {"id": 2, "name": "cat"}],
    "annotations": [OBJECT],
}


def changed(**parts):
    return {**copy.deepcopy(CONTENT), **parts}


def test_everything_stands_in_the_order_of_its_ids():
    truth = truth_from(CONTENT)
    assert truth.image_ids == (7, 9)
    assert truth.images[0]["video"] == "a"
    assert (truth.class_ids, truth.class_names) == ((2, 5), ("cat", "dog"))
    assert truth.objects == ({**OBJECT, "id": 1, "image_id": 0, "category_id": 0},)


@pytest.mark.parametrize("area", [None, 0, float("nan")])
def test_an_area_that_is_none_is_the_boxs(area):
    entry = {**OBJECT, "area": area}
    assert truth_from(changed(annotations=[entry])).objects[0]["area"] == 12


def test_missing_area_and_iscrowd_are_filled_in():
    entry = {key: OBJECT[key] for key in ("image_id", "category_id", "bbox")}
    found = truth_from(changed(annotations=[entry])).objects[0]
    assert (found["area"], found["iscrowd"], found["id"]) == (12, 0, 1)


def test_equal_class_names_are_told_apart():
    categories = [{"id": 1, "name": "x"}, {"id": 3, "name": "x"}]
    assert truth_from(changed(categories=categories, annotations=[])).class_names == (
        "x (id 1)",
        "x (id 3)",
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ([], "list, not a COCO object"),
        (changed(images=[]), "lists no images"),
        (changed(categories={}), "'categories'"),
        (changed(images=[{"id": 7}, {"id": 7}]), "repeat, as 7"),
        (changed(images=[{"id": 7}, {"id": "9"}]), "whole numbers"),
        (changed(images=[{"id": 7}, {}]), "whole numbers"),
        (changed(annotations=[{**OBJECT, "image_id": 8}]), "annotation 1: image_id 8"),
        (changed(annotations=[{**OBJECT, "category_id": [2]}]), "category_id"),
        (changed(annotations=[{**OBJECT, "bbox": [1, 2, 3]}]), "four finite numbers"),
        (changed(annotations=[{**OBJECT, "bbox": [1, 2, 3, float("inf")]}]), "four finite"),
        (changed(annotations=[{**OBJECT, "bbox": None}]), "four finite"),
    ],
)
def test_what_cannot_work_is_refused(content, says):
    with pytest.raises(InputError, match=says) as refused:
        truth_from(content, "T.json")
    assert str(refused.value).startswith("T.json")


def test_files(tmp_path):
    path = tmp_path / "T.json"
    path.write_text(json.dumps(CONTENT))
    assert read_truth(path) == truth_from(CONTENT)
    path.write_text("{")
    with pytest.raises(InputError, match="no json"):
        read_json(path)
    with pytest.raises(InputError, match="cannot read"):
        read_json(tmp_path / "none.json")

import copy
import json

import pytest

from yolox_attn.coco.annotations import read_truth, truth_from
from yolox_attn.errors import InputError

OBJECT = {"id": 0, "image_id": 7, "category_id": 2, "bbox": [1, 2, 3, 4], "area": 5, "iscrowd": 0}
CONTENT = {
    "images": [{"id": 9}, {"id": 7, "video": "a"}],
    "categories": [{"id": 5, "name": "dog"}, {"id": 2, "name": "cat"}],
    "annotations": [OBJECT],
}


def changed(**parts):
    return {**copy.deepcopy(CONTENT), **parts}


def one_object(**values):
    return changed(annotations=[OBJECT | values])


def test_everything_stands_in_the_order_of_its_ids():
    truth = truth_from(CONTENT)
    assert truth.image_ids == (7, 9)
    assert truth.images[0]["video"] == "a"
    assert (truth.class_ids, truth.class_names) == ((2, 5), ("cat", "dog"))
    assert truth.objects == ({**OBJECT, "id": 1, "image_id": 0, "category_id": 0},)


@pytest.mark.parametrize("area", [None, 0, -5, "big", float("nan"), 10**400])
def test_an_area_that_is_no_positive_number_is_the_boxs(area):
    assert truth_from(one_object(area=area)).objects[0]["area"] == 12


def test_an_object_needs_its_image_its_class_and_its_box_alone():
    entry = {key: OBJECT[key] for key in ("image_id", "category_id", "bbox")}
    (made,) = truth_from(changed(annotations=[entry])).objects
    assert (made["area"], made["iscrowd"], made["id"]) == (12, 0, 1)


def test_a_truth_needs_no_integers_as_ids_nor_names_nor_boxes_of_a_sensible_size():
    truth = truth_from(
        {
            "images": [{"id": "b", "file_name": 5}, {"id": "a", "width": -1}],
            "categories": [{"id": "k"}, {"id": "j", "name": "same"}, {"id": "i", "name": "same"}],
            "annotations": [{"image_id": "b", "category_id": "k", "bbox": [0, 0, 1e12, 1]}] * 2,
        }
    )
    assert truth.image_ids == ("a", "b")
    assert truth.class_names == ("same (id i)", "same (id j)", "k")
    assert [(each["image_id"], each["category_id"]) for each in truth.objects] == [(1, 2)] * 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], " holds a json list, not a COCO object"),
        (changed(images=[]), " lists no images"),
        (changed(categories={}), " has no list of objects 'categories'"),
        (changed(annotations=None), " has no list of objects 'annotations'"),
        (changed(images=[{"id": 7}, {"id": 7}]), ": images that share their id: 2 (7)"),
        (changed(images=[{"id": 7}, {"id": "9"}]), ": images whose id is no integer: 1 ('9')"),
        (changed(images=[{"id": 7}, {}]), ": images whose id is no integer: 1 (None)"),
        (one_object(image_id=8), ": annotations of no listed image: 1 (annotation 0: image 8)"),
        (one_object(image_id="7"), ": annotations of no listed image: 1 (annotation 0: image '7')"),
        (one_object(category_id=[2]), ": annotations of no listed category: 1"),
        (one_object(bbox=[1, 2, 3]), ": annotations without a bbox of four finite numbers: 1"),
        (one_object(bbox=[1, 2, 3, float("inf")]), ": annotations without a bbox of four finite"),
        (one_object(bbox=[1, 2, 3, 10**400]), ": annotations without a bbox of four finite"),
        (one_object(bbox=None), ": annotations without a bbox of four finite"),
        (one_object(iscrowd="x"), ": annotations whose iscrowd is neither 0 nor 1: 1"),
    ],
)
def test_what_cannot_be_a_truth_is_refused_in_one_line(content, message):
    with pytest.raises(InputError) as refused:
        truth_from(content, "T.json")
    assert str(refused.value).startswith(f"T.json{message}")
    assert "\n" not in str(refused.value)


def test_a_truth_is_read_from_its_file(tmp_path):
    path = tmp_path / "T.json"
    path.write_text(json.dumps(CONTENT))
    assert read_truth(path) == truth_from(CONTENT)
    path.write_text(json.dumps({}))
    with pytest.raises(InputError, match=f"^{path} has no list of objects 'images'"):
        read_truth(path)

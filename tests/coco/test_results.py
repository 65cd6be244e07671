import numpy as np
import pytest

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.results import check_detections, read_detections
from yolox_attn.errors import InputError

TRUTH = truth_from({"images": [{"id": 2}, {"id": 1}], "categories": [{"id": 3}], "annotations": []})
DETECTION = {"image_id": 2, "category_id": 3, "bbox": [10, 10, 40, 50], "score": 0.5}


ROW = [1, 10, 10, 40, 50, 0.5, 0]


def test_ids_become_places():
    other = {**DETECTION, "category_id": 4}
    checked = check_detections(TRUTH, [DETECTION, other, DETECTION], "D.json")
    assert checked.rows.tolist() == [ROW, ROW]
    assert checked.unknown_categories == 1


@pytest.mark.parametrize(
    ("change", "row"),
    [
        ({"bbox": (10, 10, 40, 50)}, ROW),
        ({"bbox": [np.float64(10), 10, 40, 50]}, ROW),
        ({"score": True}, [*ROW[:5], 1, 0]),
        ({"score": np.float64(0.5)}, ROW),
        ({"image_id": 2.0}, ROW),
    ],
)
def test_types_that_no_json_holds_make_no_difference(change, row):
    checked = check_detections(TRUTH, [DETECTION, {**DETECTION, **change}], "D.json")
    assert checked.rows.tolist() == [ROW, row]


@pytest.mark.parametrize("category", [None, [3], "3", {"id": 3}])
def test_a_category_that_is_no_id_is_unknown(category):
    checked = check_detections(TRUTH, [{**DETECTION, "category_id": category}], "D.json")
    assert (checked.rows.shape, checked.unknown_categories) == ((0, 7), 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 5}, "no image 5"),
        ({"image_id": [1]}, "no image"),
        ({"score": None}, "score is None"),
        ({"score": float("nan")}, "score is nan"),
        ({"score": 10**400}, "score is 1000"),
        ({"score": "0.5"}, "score is '0.5'"),
        ({"bbox": None}, "four finite numbers"),
        ({"bbox": "1234"}, "four finite numbers"),
        ({"bbox": [1, 2, 3]}, "four finite numbers"),
        ({"bbox": [1, 2, 3, "4"]}, "four finite numbers"),
        ({"bbox": [1, 2, 3, float("-inf")]}, "four finite numbers"),
        ({"bbox": [1, 2, 3, 10**400]}, "four finite numbers"),
        ({"bbox": [1], "category_id": 9}, "four finite numbers"),
    ],
)
def test_detections_that_cannot_work_are_refused(change, message):
    with pytest.raises(InputError, match=f"^D.json: detection 2: .*{message}"):
        check_detections(TRUTH, [DETECTION, {**DETECTION, **change}], "D.json")


def test_a_box_may_be_as_large_as_a_young_network_predicts():
    checked = check_detections(TRUTH, [{**DETECTION, "bbox": [0, 0, 1e12, 2]}], "D.json")
    assert checked.rows[0, 3] == 1e12


def test_a_results_file_is_a_list(tmp_path):
    path = tmp_path / "D.json"
    path.write_text('[{"score": 1}]')
    assert read_detections(path) == [{"score": 1}]
    path.write_text('{"annotations": []}')
    with pytest.raises(InputError, match="list of detections"):
        read_detections(path)
    with pytest.raises(InputError, match=r"^cannot read results file .*none\.json: No such file"):
        read_detections(tmp_path / "none.json")

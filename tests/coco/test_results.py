import pytest

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.results import read_detections, renumbered
from yolox_attn.errors import InputError

TRUTH = truth_from({"images": [{"id": 2}, {"id": 1}], "categories": [{"id": 3}], "annotations": []})
DETECTION = {"image_id": 2, "category_id": 3, "bbox": [10, 10, 40, 50], "score": 0.5}


def test_ids_become_places():
    (entry,) = renumbered(TRUTH, [DETECTION], "D.json")
    changed = {"image_id": 1, "category_id": 0, "area": 2000, "iscrowd": 0}
    assert entry == {**DETECTION, **changed}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_id": 5}, "no image 5"),
        ({"image_id": [1]}, "no image"),
        ({"score": None}, "score is None"),
        ({"score": float("nan")}, "score is nan"),
        ({"score": 10**400}, "score is 1000"),
        ({"bbox": "1234"}, "four finite numbers"),
    ],
)
def test_detections_that_cannot_work_are_refused(change, message):
    with pytest.raises(InputError, match=f"^D.json: detection 1: .*{message}"):
        list(renumbered(TRUTH, [{**DETECTION, **change}], "D.json"))


def test_a_box_may_be_as_large_as_a_young_network_predicts():
    (entry,) = renumbered(TRUTH, [{**DETECTION, "bbox": [0, 0, 1e12, 2]}], "D.json")
    assert entry["area"] == 2e12


def test_a_results_file_is_a_list(tmp_path):
    path = tmp_path / "D.json"
    path.write_text('[{"score": 1}]')
    assert read_detections(path) == [{"score": 1}]
    path.write_text('{"annotations": []}')
    with pytest.raises(InputError, match="list of detections"):
        read_detections(path)
    with pytest.raises(InputError, match=r"^cannot read results file .*none\.json: No such file"):
        read_detections(tmp_path / "none.json")

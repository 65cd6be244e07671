import copy
from dataclasses import fields

import numpy as np
import pytest
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import (
    AREAS,
    IOU_THRESHOLDS,
    Matches,
    best_matcher,
    match,
    reference_matcher,
)

WHOLE = [10, 10, 40, 50]  # 2000 pixels: medium
PART = [10, 10, 40, 36]  # inside WHOLE: IoU 0.72


def truth_of(*objects, images=(1, 2)):
    return truth_from(
        {
            "images": [{"id": image} for image in images],
            "categories": [{"id": 4, "name": "b"}, {"id": 3, "name": "a"}],
            "annotations": [
                {"id": 0, "image_id": i, "category_id": c, "bbox": b, "iscrowd": crowd}
                for i, c, b, crowd in objects
            ],
        }
    )


def found(image, kind, box, score):
    return {"image_id": image, "category_id": kind, "bbox": box, "score": score}


def test_flags_by_hand():
    """An object with id 0 is found too, though to pycocotools 0 means no match."""
    detections = [found(2, 4, PART, 0.8), found(1, 3, WHOLE, 0.5), found(1, 4, [0, 0, 5, 5], 0.9)]
    matches = match(truth_of((2, 4, WHOLE, 0), (1, 3, WHOLE, 0), (1, 3, WHOLE, 1)), detections)
    assert matches.class_names == ("a", "b")
    assert matches.class_offsets.tolist() == [0, 1, 3]
    assert matches.image_index.tolist() == [0, 0, 1]
    assert matches.score.tolist() == [0.5, 0.9, 0.8]
    hits = np.array(IOU_THRESHOLDS) <= 0.72
    assert np.array_equal(matches.tp[0, :, 2], hits)
    assert np.array_equal(matches.fp[0, :, 2], ~hits)
    assert matches.fp[0, :, 1].all()
    assert not matches.fp[AREAS.index("medium"), :, 1].any()  # a small box
    assert matches.fp[AREAS.index("small"), :, 1].all()
    assert matches.gt_offsets.tolist() == [0, 1, 3]
    assert matches.gt_image.tolist() == [0, 0, 1]
    assert matches.gt_count[0].tolist() == [1, 0, 1]  # the crowd is none to find
    assert matches.gt_count[AREAS.index("small")].tolist() == [0, 0, 0]


def test_what_lies_in_a_crowd_counts_as_nothing():
    matches = match(truth_of((1, 3, WHOLE, 1)), [found(1, 3, PART, 0.5)])
    assert not matches.tp.any()
    assert not matches.fp.any()


def test_equal_scores_keep_the_order_of_images_then_of_the_results():
    detections = [found(2, 3, WHOLE, 0.5), found(1, 3, PART, 0.5), found(1, 3, WHOLE, 0.5)]
    matches = match(truth_of((1, 3, PART, 0)), detections)
    assert matches.image_index.tolist() == [0, 0, 1]
    assert matches.tp[0, -1].tolist() == [True, False, False]


def test_nothing_given_is_changed():
    truth, detections = random_set(3)
    before = copy.deepcopy((truth, detections))
    checked = truth_from(truth)
    objects = copy.deepcopy(checked.objects)
    match(checked, detections)
    assert (truth, detections) == before
    assert checked.objects == objects


def test_unknown_categories_are_counted_and_left_out():
    matches = match(truth_of((1, 3, WHOLE, 0)), [found(1, 9, WHOLE, 0.9), found(1, 3, WHOLE, 0.5)])
    assert (len(matches), matches.unknown_categories) == (1, 1)


def test_the_reference_is_pycocotools():
    assert type(reference_matcher().index()).__module__ == "pycocotools.coco"


@pytest.mark.parametrize("seed", range(40))
def test_the_fast_matcher_finds_the_same_to_the_last_bit(seed):
    pytest.importorskip("ultrafast_pycocotools")
    assert best_matcher().name == "ultrafast-pycocotools"
    truth, detections = random_set(seed)
    checked = truth_from(truth)
    fast = match(checked, detections, matcher=best_matcher())
    slow = match(checked, detections, matcher=reference_matcher())
    for each in fields(Matches):
        assert np.array_equal(getattr(fast, each.name), getattr(slow, each.name)), each.name

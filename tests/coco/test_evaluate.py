import contextlib
import copy
import io
from dataclasses import fields

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from resampled_sets import random_box, random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import (
    AREAS,
    IOU_THRESHOLDS,
    MAX_DETS,
    Matches,
    best_matcher,
    match,
    match_checked,
    reference_matcher,
)
from yolox_attn.coco.results import check_detections

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


def full_set(seed):
    """A random set, with an image and a class of nothing, unknown categories, and one image and
    class of more detections than count, whose scores tie, around two crowds and an object."""
    truth, detections = random_set(seed)
    rng = np.random.default_rng(seed)
    image, kind = truth["images"][-1]["id"], truth["categories"][-1]["id"]
    truth["images"].insert(0, {"id": 60, "width": 300, "height": 300})
    truth["categories"].insert(0, {"id": 95, "name": "nothing"})
    for crowd in (1, 0, 1):
        box, number = random_box(rng), len(truth["annotations"]) + 1
        entry = {"image_id": image, "category_id": kind, "bbox": box}
        area = box[2] * box[3]
        truth["annotations"].append({**entry, "id": number, "area": area, "iscrowd": crowd})
        for _ in range(45):
            near = (np.array(box) * rng.uniform(0.8, 1.2, 4)).tolist()
            detections.append({**entry, "bbox": near, "score": int(rng.integers(1, 6)) / 5})
    for _ in range(5):
        unknown = {"image_id": image, "category_id": 1000, "bbox": random_box(rng), "score": 0.9}
        detections.insert(int(rng.integers(len(detections))), unknown)
    return truth, detections


def records_of(truth, detections):
    """pycocotools as it comes, under the set's own ids: class, area -> records that are there."""
    with contextlib.redirect_stdout(io.StringIO()):
        known = COCO()
        known.dataset = copy.deepcopy(truth)
        known.createIndex()
        cocoeval = COCOeval(known, known.loadRes(copy.deepcopy(detections)), "bbox")
        cocoeval.evaluate()
    places = (len(truth["categories"]), len(AREAS), len(truth["images"]))
    every = np.array(cocoeval.evalImgs, dtype=object).reshape(places)
    return [[[r for r in row if r is not None] for row in rows] for rows in every]


MATCHERS = [reference_matcher(), best_matcher()]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("matcher", MATCHERS, ids=lambda matcher: matcher.name)
def test_matches_are_what_pycocotools_accumulates(matcher, seed):
    truth, detections = full_set(seed)
    matches = match(truth_from(truth), detections, matcher=matcher)
    image_ids = np.array(sorted(image["id"] for image in truth["images"]))
    for k, areas in enumerate(records_of(truth, detections)):
        own = slice(*matches.class_offsets[k : k + 2])
        pairs = slice(*matches.gt_offsets[k : k + 2])
        for a, records in enumerate(areas):
            score = np.concatenate([[], *(record["dtScores"] for record in records)])
            order = np.argsort(-score, kind="mergesort")
            images = [record["image_id"] for record in records]
            repeated = np.repeat(images, [len(record["dtScores"]) for record in records])
            assert np.array_equal(matches.score[own], score[order])
            assert np.array_equal(image_ids[matches.image_index[own]], repeated[order])
            none = np.zeros((len(IOU_THRESHOLDS), 0))
            found, ignored = (
                np.concatenate([none, *(record[key] for record in records)], axis=1)[:, order] > 0
                for key in ("dtMatches", "dtIgnore")
            )
            assert np.array_equal(matches.tp[a, :, own], found & ~ignored)
            assert np.array_equal(matches.fp[a, :, own], ~found & ~ignored)
            assert image_ids[matches.gt_image[pairs]].tolist() == images
            counts = [int(np.count_nonzero(record["gtIgnore"] == 0)) for record in records]
            assert matches.gt_count[a, pairs].tolist() == counts


def test_the_full_set_is_full():
    """It holds what the test above is about, or that would prove little."""
    for seed in range(12):
        truth, detections = full_set(seed)
        matches = match(truth_from(truth), detections)
        assert len(detections) - len(matches) - matches.unknown_categories >= 35  # beyond 100
        assert matches.unknown_categories == 5
        assert np.bincount(matches.image_index).max() >= MAX_DETS
        assert (np.diff(matches.class_offsets) == 0).any()
        assert (~(matches.tp | matches.fp)[0]).any()  # in a crowd
        assert len(np.unique(matches.score)) < len(matches)


@pytest.mark.parametrize("matcher", MATCHERS, ids=lambda matcher: matcher.name)
@pytest.mark.parametrize("objects", [[], [(1, 3, WHOLE, 0)]])
def test_nothing_need_be_detected_nor_shown(matcher, objects):
    matches = match(truth_of(*objects), [], matcher=matcher)
    assert (len(matches), matches.images, matches.tp.shape) == (0, 2, (4, 10, 0))
    assert matches.gt_count.shape == (4, len(objects))


def test_checked_detections_may_be_forgotten():
    truth, detections = full_set(0)
    known = truth_from(truth)
    expected = match(known, detections)
    checked = check_detections(known, detections, "the detections")
    detections.clear()
    assert_same(match_checked(known, checked), expected)


def assert_same(one, other):
    for each in fields(Matches):
        assert np.array_equal(getattr(one, each.name), getattr(other, each.name)), each.name


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("draw", [random_set, full_set])
def test_the_fast_matcher_finds_the_same_to_the_last_bit(draw, seed):
    pytest.importorskip("ultrafast_pycocotools")
    assert best_matcher().name == "ultrafast-pycocotools"
    truth, detections = draw(seed)
    checked = truth_from(truth)
    fast = match(checked, detections, matcher=best_matcher())
    assert_same(fast, match(checked, detections, matcher=reference_matcher()))

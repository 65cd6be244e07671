from collections import Counter

import numpy as np

from drawn_boxes import FIELD, SHARES, draw_detections, draw_truth
from yolox_attn.coco.annotations import Truth, truth_from
from yolox_attn.stats.measured import measure


def drawn(images: int = 200) -> Truth:
    return truth_from(draw_truth(images, np.random.default_rng(0)))


def found(truth: Truth, sure: float, seed: int = 1) -> list[dict]:
    return draw_detections(truth, np.full(len(truth.objects), sure), np.random.default_rng(seed))


def test_a_truth_has_all_that_matching_deals_with():
    truth = drawn()
    counts = Counter(each["category_id"] for each in truth.objects)
    assert sorted(counts) == list(range(len(SHARES)))
    assert 0 < counts[3] < counts[0] / 5
    assert 0 < sum(each["iscrowd"] for each in truth.objects) < 0.1 * len(truth.objects)
    assert {each["image_id"] for each in truth.objects} == set(range(200))
    assert min(each["area"] for each in truth.objects) < 32**2
    assert max(each["area"] for each in truth.objects) > 96**2
    assert all(x >= 0 and x + w <= FIELD for x, _, w, _ in (o["bbox"] for o in truth.objects))


def test_detections_tie_miss_err_and_find():
    truth = drawn()
    sure = np.random.default_rng(2).normal(0, 1.5, len(truth.objects))
    results = draw_detections(truth, sure, np.random.default_rng(1))
    scores = Counter(each["score"] for each in results)
    assert max(scores.values()) > 5
    assert all(0 < score <= 1 for score in scores)
    right = {(each["image_id"], each["category_id"]) for each in truth.objects}
    assert any((each["image_id"], each["category_id"]) not in right for each in results)
    everything = measure(truth, results, np.ones((1, 200), int))
    assert 5 < everything.figures["AP"] < 70
    assert everything.figures["AP"] < everything.figures["AP50"] < 95


def test_the_surer_a_run_the_more_it_finds():
    truth, weights = drawn(), np.ones((1, 200), int)
    points = [measure(truth, found(truth, s), weights).figures["AP"] for s in (-2, -1, 0, 1, 2)]
    assert points == sorted(points)
    assert points[0] < 1  # what it is so unsure of is not reported, and noise finds next to nothing
    assert points[-1] > 50


def test_one_stream_one_set():
    truth = drawn()
    assert found(truth, 0.5) == found(truth, 0.5)
    assert found(truth, 0.5) != found(truth, 0.5, seed=2)
    assert draw_truth(20, np.random.default_rng(0)) == draw_truth(20, np.random.default_rng(0))

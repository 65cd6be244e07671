import numpy as np
import pytest
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.stats import ap_numpy as curves
from yolox_attn.stats.ap_numba import fill_ap, levels_passed
from yolox_attn.stats.ap_numpy import LEVELS, Track, class_ap, counting_order, make_track
from yolox_attn.stats.bootstrap import image_weights


def track_of(true, objects) -> Track:
    """Each detection and object in an image of its own; one IoU, nothing ignored."""
    none = np.zeros(0, dtype=np.int64)
    return Track(
        rows=np.arange(len(true)),
        true_starts=np.array([0, sum(true)]),
        true_place=np.flatnonzero(true),
        void_starts=np.array([0, 0]),
        void_place=none,
        void_before=np.zeros(sum(true), dtype=np.int64),
        object_rows=np.arange(objects),
        object_count=np.ones(objects, dtype=np.int64),
    )


def compiled_by_hand(track, weights):
    """The loops as python runs them."""
    result = np.empty((len(track.true_starts) - 1, len(weights)))
    fill_ap(track, weights.astype(np.int64), LEVELS, result)
    return result


@pytest.fixture(params=[class_ap, compiled_by_hand])
def ap_of(request):
    return lambda track, weights: request.param(track, np.array(weights, dtype=np.float64))


@pytest.mark.parametrize(
    ("true", "objects", "ap"),
    [
        ([1], 1, 1),
        ([0, 1], 1, 1 / 2),
        ([1, 0, 1], 2, (51 + 50 * 2 / 3) / 101),
        ([1], 2, 51 / 101),
        ([1, 0, 0, 1, 1], 3, (34 + 67 * 3 / 5) / 101),  # the envelope lifts 2/4 to 3/5
        ([0, 0], 2, 0),
        ([], 2, 0),
    ],
)
def test_by_hand(true, objects, ap, ap_of):
    columns = max(len(true), objects)
    assert ap_of(track_of(true, objects), [[1] * columns])[0, 0] == pytest.approx(ap)


def test_weights_by_hand(ap_of):
    """Two false before three of four true: recall 0.75, precision 3 of 5."""
    track = track_of([0, 1], 3)
    found = ap_of(track, [[2, 3, 0], [0, 0, 0], [4, 0, 1], [0, 2, 0]])
    assert found[0, 0] == pytest.approx(3 / 5 * 61 / 101)  # 3 of 5 objects: level 0.6 is reached
    assert np.isnan(found[0, 1])
    assert found[0, 2] == 0
    assert found[0, 3] == pytest.approx(1)


@pytest.mark.parametrize("objects", [1, 3, 7, 100, 137])
def test_levels_are_passed_at_the_bit_where_the_evaluator_passes_them(objects):
    found = np.arange(objects + 1) / objects
    expected = (LEVELS[None] <= found[:, None]).sum(axis=1)
    assert np.array_equal(levels_passed(objects, LEVELS), expected)


def test_57_of_100_objects_do_not_reach_recall_057():
    """As a floating-point number that level is a bit above 57 / 100."""
    assert levels_passed(100, LEVELS)[56:59].tolist() == [57, 57, 59]


def real_tracks():
    truth, detections = random_set(5)
    matches = match(truth_from(truth), detections)
    weights = image_weights(np.random.default_rng(0), matches.images, 30)
    order = counting_order(matches, weights.max(axis=0))
    columns = order.columns(weights, np.float64)
    for label in range(len(matches.class_names)):
        for area in range(4):
            yield make_track(matches, order, label=label, area=area), columns


def test_loops_and_arrays_agree():
    for track, columns in real_tracks():
        expected = compiled_by_hand(track, columns)
        np.testing.assert_allclose(class_ap(track, columns), expected, rtol=0, atol=1e-12)


def test_a_class_too_large_for_memory_is_taken_in_parts(monkeypatch):
    whole = [class_ap(*case) for case in real_tracks()]
    monkeypatch.setattr(curves, "HELD", 40)
    for case, expected in zip(real_tracks(), whole, strict=True):
        assert np.array_equal(class_ap(*case), expected, equal_nan=True)

import numpy as np
import pytest
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import Matches, match
from yolox_attn.stats import ap_numpy
from yolox_attn.stats.ap_numba import fill_ap, levels_passed
from yolox_attn.stats.ap_numpy import (
    LEVELS,
    Layout,
    class_ap,
    counting_order,
    make_layout,
    tied_groups,
)
from yolox_attn.stats.bootstrap import image_weights


def matches_of(score, image, true, *, ignored=(), starts=None) -> Matches:
    """Three images, one class unless `starts` has more; every IoU and area alike."""
    flags = np.broadcast_to(np.array(true, dtype=bool), (4, 10, len(true)))
    is_ignored = np.isin(np.arange(len(true)), ignored)
    return Matches(
        images=3,
        class_names=("a",),
        class_offsets=np.array(starts or [0, len(true)]),
        image_index=np.array(image),
        score=np.array(score),
        tp=flags & ~is_ignored,
        fp=~flags & ~is_ignored,
        gt_offsets=np.array([0, 1]),
        gt_image=np.array([0]),
        gt_count=np.ones((4, 1), dtype=np.int64),
    )


@pytest.mark.parametrize(
    ("matches", "groups"),
    [
        (matches_of([0.9, 0.5, 0.5, 0.1], [0, 1, 1, 1], [1, 1, 0, 1]), [(1, 3)]),
        (matches_of([0.9, 0.5, 0.5, 0.1], [0, 1, 1, 1], [1, 0, 0, 1]), []),  # all false
        (matches_of([0.5, 0.5], [1, 1], [1, 0], ignored=(1,)), []),
        (matches_of([0.9, 0.5, 0.5, 0.1], [0, 1, 2, 1], [1, 1, 0, 1]), []),  # two images
        (matches_of([0.5, 0.5], [1, 1], [1, 0], starts=(0, 1, 2)), []),  # two classes
        (matches_of([0.9, 0.5, 0.4, 0.1], [0, 1, 1, 1], [1, 1, 0, 1]), []),  # no tie
        (matches_of([], [], []), []),
    ],
)
def test_only_mixed_ties_within_an_image_are_taken_copy_by_copy(matches, groups):
    assert list(tied_groups(matches)) == groups


def test_copies_stand_one_after_the_other():
    matches = matches_of([0.9, 0.5, 0.5, 0.1], [0, 1, 1, 2], [1, 1, 0, 1])
    order = counting_order(matches, np.array([5, 2, 1]))
    assert order.source.tolist() == [0, 1, 2, 1, 2, 3]
    assert order.rows.tolist() == [0, 3, 3, 4, 4, 2]
    assert order.starts.tolist() == [0, 6]
    columns = order.columns(np.array([[1, 1, 1], [0, 2, 1], [3, 0, 0]]), np.int64)
    assert columns.tolist() == [[1, 1, 1, 1, 0], [0, 2, 1, 1, 1], [3, 0, 0, 0, 0]]


def test_what_cannot_change_the_ap_is_left_out():
    matches = matches_of([0.9, 0.8, 0.7, 0.6], [0, 1, 2, 0], [0, 0, 1, 0], ignored=(1,))
    layout = make_layout(matches, counting_order(matches, np.ones(3, int)), label=0, area=0)
    assert layout.rows.tolist() == [0, 2]
    assert layout.tp_place.tolist() == [1] * 10
    assert not len(layout.ignored_place)


def layout_of(true, objects) -> Layout:
    """Each detection and object in an image of its own; one IoU, nothing ignored."""
    none = np.zeros(0, dtype=np.int64)
    return Layout(
        rows=np.arange(len(true)),
        tp_offsets=np.array([0, sum(true)]),
        tp_place=np.flatnonzero(true),
        ignored_offsets=np.array([0, 0]),
        ignored_place=none,
        ignored_before=np.zeros(sum(true), dtype=np.int64),
        gt_rows=np.arange(objects),
        gt_count=np.ones(objects, dtype=np.int64),
    )


def compiled_by_hand(layout, weights):
    """The loops as python runs them."""
    result = np.empty((len(layout.tp_offsets) - 1, len(weights)))
    fill_ap(layout, weights.astype(np.int64), LEVELS, result)
    return result


@pytest.fixture(params=[class_ap, compiled_by_hand])
def ap_of(request):
    return lambda layout, weights: request.param(layout, np.array(weights, dtype=np.float64))


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
    assert ap_of(layout_of(true, objects), [[1] * columns])[0, 0] == pytest.approx(ap)


def test_weights_by_hand(ap_of):
    """Two false before three true, of five objects: precision 3 / 5, recall level 0.6 reached."""
    layout = layout_of([0, 1], 3)
    found = ap_of(layout, [[2, 3, 0], [0, 0, 0], [4, 0, 1], [0, 2, 0]])
    assert found[0, 0] == pytest.approx(3 / 5 * 61 / 101)
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


def real_layouts():
    truth, detections = random_set(2)
    matches = match(truth_from(truth), detections)
    weights = image_weights(np.random.default_rng(0), matches.images, 30)
    order = counting_order(matches, weights.max(axis=0))
    columns = order.columns(weights, np.float64)
    for label in range(len(matches.class_names)):
        for area in range(4):
            yield make_layout(matches, order, label=label, area=area), columns


def test_loops_and_arrays_agree():
    for layout, columns in real_layouts():
        expected = compiled_by_hand(layout, columns)
        np.testing.assert_allclose(class_ap(layout, columns), expected, rtol=0, atol=1e-12)


def test_a_class_too_large_for_memory_is_taken_in_parts(monkeypatch):
    whole = [class_ap(*case) for case in real_layouts()]
    monkeypatch.setattr(ap_numpy, "ARRAY_SIZE", 40)
    for case, expected in zip(real_layouts(), whole, strict=True):
        assert np.array_equal(class_ap(*case), expected, equal_nan=True)

import numpy as np
import pytest
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import Matches, match
from yolox_attn.stats.ap_numpy import counting_order, make_track, tied_groups


def matches_of(score, image, true, *, ignored=(), images=3) -> Matches:
    """One class; every IoU and area alike."""
    flags = np.broadcast_to(np.array(true, dtype=bool), (4, 10, len(true)))
    void = np.isin(np.arange(len(true)), ignored)
    return Matches(
        images=images,
        class_names=("a",),
        starts=np.array([0, len(true)]),
        image=np.array(image),
        score=np.array(score),
        true=flags & ~void,
        false=~flags & ~void,
        object_starts=np.array([0, 1]),
        object_image=np.array([0]),
        object_count=np.ones((4, 1), dtype=np.int64),
    )


@pytest.mark.parametrize(
    ("score", "image", "true", "groups"),
    [
        ([0.9, 0.5, 0.5, 0.1], [0, 1, 1, 1], [1, 1, 0, 1], [(1, 3)]),
        ([0.9, 0.5, 0.5, 0.1], [0, 1, 1, 1], [1, 0, 0, 1], []),  # all false
        ([0.9, 0.5, 0.5, 0.1], [0, 1, 2, 1], [1, 1, 0, 1], []),  # two images
        ([0.9, 0.5, 0.4, 0.1], [0, 1, 1, 1], [1, 1, 0, 1], []),  # no tie
        ([], [], [], []),
    ],
)
def test_only_mixed_ties_within_an_image_are_taken_copy_by_copy(score, image, true, groups):
    assert list(tied_groups(matches_of(score, image, true))) == groups


def test_a_tie_with_something_ignored_is_none():
    assert not list(tied_groups(matches_of([0.5, 0.5], [1, 1], [1, 0], ignored=(1,))))


def test_a_tie_over_the_border_of_two_classes_is_none():
    matches = matches_of([0.5, 0.5], [1, 1], [1, 0])
    two = Matches(**{**vars(matches), "class_names": ("a", "b"), "starts": np.array([0, 1, 2])})
    assert not list(tied_groups(two))


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
    track = make_track(matches, counting_order(matches, np.ones(3, int)), label=0, area=0)
    assert track.rows.tolist() == [0, 2]
    assert track.true_place.tolist() == [1] * 10
    assert not len(track.void_place)


def test_places_of_every_iou():
    matches = match_of_random()
    order = counting_order(matches, np.ones(matches.images, int))
    for label in range(len(matches.class_names)):
        track = make_track(matches, order, label=label, area=0)
        chosen = slice(matches.starts[label], matches.starts[label + 1])
        assert np.array_equal(np.diff(track.true_starts), matches.true[0, :, chosen].sum(axis=1))


def match_of_random() -> Matches:
    truth, detections = random_set(5)
    return match(truth_from(truth), detections)

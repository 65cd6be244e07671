import importlib.util

import numpy as np
import pytest
from resampled_sets import pycocotools_ap, random_set, repeated

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.errors import InputError
from yolox_attn.stats import weighted_ap as engines
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.weighted_ap import (
    METRICS,
    WeightedAP,
    best_engine,
    compiled_engine,
    numpy_engine,
    weighted_ap,
)

numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="extra [fast]")
ENGINES = pytest.mark.parametrize(
    "engine", [numpy_engine, pytest.param(compiled_engine, marks=numba)]
)
BOX, AWAY = [10, 10, 50, 50], [200, 200, 50, 50]


def matches_of(truth, detections):
    return match(truth_from(truth), detections)


def worst_difference(found: WeightedAP, row: int, expected: dict[str, np.ndarray]) -> float:
    worst = 0.0
    for name in METRICS:
        ours = np.array([found.overall[name][row], *found.by_class[name][row]])
        assert np.array_equal(np.isnan(ours), np.isnan(expected[name])), name
        worst = max(worst, np.nan_to_num(np.abs(ours - expected[name])).max())
    return worst


def worst_of_case(seed: int, engine) -> float:
    truth, detections = random_set(seed)
    rng = np.random.default_rng([seed, 1])
    images = len(truth["images"])
    weights = np.concatenate(
        [
            np.ones((1, images), np.int32),
            image_weights(rng, images, 2),
            rng.integers(0, 6, (1, images), dtype=np.int32),
        ]
    )
    found = weighted_ap(matches_of(truth, detections), weights, engine=engine)
    return max(
        worst_difference(found, row, pycocotools_ap(*repeated(truth, detections, weights[row])))
        for row in range(len(weights))
    )


@ENGINES
@pytest.mark.parametrize("seed", range(20))
def test_equal_to_pycocotools_on_images_really_repeated(seed, engine):
    assert worst_of_case(seed, engine(1)) <= 1e-12


@pytest.mark.slow
@ENGINES
def test_equal_to_pycocotools_on_200_random_sets(engine):
    worst = max(worst_of_case(seed, engine(1)) for seed in range(1000, 1200))
    print(f"worst difference of 200 sets, 4 resamples each, {engine.__name__}: {worst:.2g}")
    assert worst <= 1e-12


def planted(objects, found, images=(1, 2)):
    truth = {
        "images": [{"id": image} for image in images],
        "categories": [{"id": 1, "name": "thing"}],
        "annotations": [
            {"id": n, "image_id": i, "category_id": 1, "bbox": b, "area": 2500, "iscrowd": 0}
            for n, (i, b) in enumerate(objects, start=1)
        ],
    }
    return truth, [{"image_id": i, "category_id": 1, "bbox": b, "score": s} for i, b, s in found]


@ENGINES
def test_a_tie_within_one_image_is_counted_copy_by_copy(engine):
    """One image twice, a true and a false positive tied: 0.835, where plain counts say 1."""
    case = planted([(1, BOX)], [(1, BOX, 0.5), (1, AWAY, 0.5)], images=(1,))
    found = weighted_ap(matches_of(*case), np.array([[2]]), engine=engine(1))
    assert found.overall["AP50"] == pytest.approx(0.835, abs=5e-4)
    expected = pycocotools_ap(*repeated(*case, [2]))
    assert worst_difference(found, 0, expected) <= 1e-12


@ENGINES
def test_a_tie_across_images_keeps_the_order_of_the_images(engine):
    """The false positive of image 1 comes before the true one of image 2, however often each."""
    first_false = planted([(2, BOX)], [(1, BOX, 0.5), (2, BOX, 0.5)])
    first_true = planted([(1, BOX)], [(1, BOX, 0.5), (2, BOX, 0.5)])
    weights = np.array([[2, 3], [1, 4]])
    for case, hand in ((first_false, (3 / 5, 4 / 5)), (first_true, (1, 1))):
        found = weighted_ap(matches_of(*case), weights, engine=engine(1))
        assert found.overall["AP"] == pytest.approx(hand)
        for row in range(2):
            expected = pycocotools_ap(*repeated(*case, weights[row]))
            assert worst_difference(found, row, expected) <= 1e-12


@ENGINES
def test_only_the_100_surest_of_an_image_and_class_count(engine):
    false = [(1, [300 + 3 * n, 300, 2, 2], 0.9 - n / 1000) for n in range(99)]
    case = planted([(1, BOX), (1, AWAY)], [*false, (1, BOX, 0.5), (1, AWAY, 0.4)], images=(1,))
    found = weighted_ap(matches_of(*case), np.array([[1], [3]]), engine=engine(1))
    for row, weight in enumerate((1, 3)):
        assert worst_difference(found, row, pycocotools_ap(*repeated(*case, [weight]))) <= 1e-12
    assert found.overall["AP50"][0] == pytest.approx(51 / 101 / 100)


@ENGINES
@pytest.mark.parametrize(
    ("objects", "found", "ap"),
    [([], [(1, BOX, 0.5)], np.nan), ([(1, BOX)], [], 0.0), ([], [], np.nan)],
    ids=["no objects", "no detections", "nothing"],
)
def test_empty_sets(objects, found, ap, engine):
    result = weighted_ap(
        matches_of(*planted(objects, found)), np.ones((2, 2), int), engine=engine(1)
    )
    assert np.array_equal(result.overall["AP"], [ap, ap], equal_nan=True)


def test_a_resample_without_any_object_has_no_ap():
    result = weighted_ap(
        matches_of(*planted([(1, BOX)], [(1, BOX, 0.5)])), np.array([[0, 2], [1, 1]])
    )
    assert result.overall["AP"] == pytest.approx([np.nan, 1.0], nan_ok=True)


@numba
def test_both_engines_give_the_same_over_many_blocks_and_threads():
    matches = matches_of(*random_set(5))
    weights = image_weights(np.random.default_rng(0), matches.images, 200)
    slow, fast = (
        weighted_ap(matches, weights, engine=engine)
        for engine in (numpy_engine(1), compiled_engine(3))
    )
    for name in METRICS:
        np.testing.assert_allclose(slow.by_class[name], fast.by_class[name], rtol=0, atol=1e-12)


def test_chosen_metrics_only():
    matches = matches_of(*random_set(5))
    weights = image_weights(np.random.default_rng(0), matches.images, 100)
    few, full = (
        weighted_ap(matches, weights, metrics=("AP75", "APs")),
        weighted_ap(matches, weights),
    )
    assert list(few.overall) == ["AP75", "APs"]
    assert np.array_equal(few.by_class["APs"], full.by_class["APs"], equal_nan=True)


@pytest.mark.parametrize(
    ("weights", "says"),
    [
        (np.ones((2, 3), int), "2 images"),
        (np.ones(2, int), "2 images"),
        (np.ones((1, 2)), "whole numbers"),
        (np.array([[1, -1]]), "0 or more"),
        (np.array([[1, 2**40]]), "below"),
    ],
)
def test_other_weights_are_refused(weights, says):
    with pytest.raises(InputError, match=says):
        weighted_ap(matches_of(*planted([(1, BOX)], [])), weights)


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="APx"):
        weighted_ap(matches_of(*planted([], [])), np.ones((1, 2), int), metrics=("APx",))


def test_the_best_engine_is_numbas_where_it_works():
    pytest.importorskip("numba")
    assert best_engine().name == "numba"


def test_without_numba_the_engine_is_numpy(monkeypatch):
    def missing():
        raise InputError("no numba")

    monkeypatch.setattr(engines, "compiled_loops", missing)
    assert best_engine().name == "numpy"
    with pytest.raises(InputError, match="no numba"):
        compiled_engine()

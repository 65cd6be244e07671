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
    AP_METRICS,
    WeightedAP,
    best_engine,
    compiled_engine,
    numpy_engine,
    weighted_ap,
)

numba = pytest.mark.skipif(importlib.util.find_spec("numba") is None, reason="extra [fast]")
BOX, AWAY = [10, 10, 50, 50], [200, 200, 50, 50]


@pytest.fixture(params=[numpy_engine, pytest.param(compiled_engine, marks=numba)])
def engine(request):
    return request.param(1)


def matches_of(truth, detections):
    return match(truth_from(truth), detections)


def equal_to_pycocotools(case, weights, engine) -> WeightedAP:
    """Return the AP of the resamples, which is pycocotools' on images really repeated."""
    found = weighted_ap(matches_of(*case), np.array(weights), engine=engine)
    for row, counts in enumerate(weights):
        expected = pycocotools_ap(*repeated(*case, counts))
        for name in AP_METRICS:
            ours = [found.overall[name][row], *found.by_class[name][row]]
            np.testing.assert_allclose(ours, expected[name], rtol=0, atol=1e-12, err_msg=name)
    return found


@pytest.mark.parametrize(
    "seed", [*range(20), *(pytest.param(n, marks=pytest.mark.slow) for n in range(1000, 1200))]
)
def test_equal_to_pycocotools_on_random_sets(seed, engine):
    """On the images as they are, two draws of them, and weights of no bootstrap."""
    case = random_set(seed)
    rng, images = np.random.default_rng([seed, 1]), len(case[0]["images"])
    any_weights = rng.integers(0, 6, (1, images), dtype=np.int32)
    weights = [np.ones((1, images), np.int32), image_weights(rng, images, 2), any_weights]
    equal_to_pycocotools(case, np.concatenate(weights), engine)


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


def test_a_tie_within_one_image_is_counted_copy_by_copy(engine):
    """One image twice, a true and a false positive tied: 0.835, where plain counts say 1."""
    case = planted([(1, BOX)], [(1, BOX, 0.5), (1, AWAY, 0.5)], images=(1,))
    found = equal_to_pycocotools(case, [[2]], engine)
    assert found.overall["AP50"] == pytest.approx(0.835, abs=5e-4)


@pytest.mark.parametrize(("image", "ap"), [(2, (3 / 5, 4 / 5)), (1, (1, 1))])
def test_a_tie_across_images_keeps_the_order_of_the_images(image, ap, engine):
    """A false positive of image 1 comes before the true one of image 2, however often each."""
    case = planted([(image, BOX)], [(1, BOX, 0.5), (2, BOX, 0.5)])
    assert equal_to_pycocotools(case, [[2, 3], [1, 4]], engine).overall["AP"] == pytest.approx(ap)


def test_only_the_100_surest_of_an_image_and_class_count(engine):
    false = [(1, [300 + 3 * n, 300, 2, 2], 0.9 - n / 1000) for n in range(99)]
    case = planted([(1, BOX), (1, AWAY)], [*false, (1, BOX, 0.5), (1, AWAY, 0.4)], images=(1,))
    found = equal_to_pycocotools(case, [[1], [3]], engine)
    assert found.overall["AP50"][0] == pytest.approx(51 / 101 / 100)


@pytest.mark.parametrize(
    ("objects", "found", "ap"),
    [
        ([], [(1, BOX, 0.5)], [np.nan, np.nan]),
        ([(1, BOX)], [], [0, np.nan]),
        ([], [], [np.nan, np.nan]),
        ([(1, BOX)], [(1, BOX, 0.5)], [1, np.nan]),
    ],
)
def test_ap_of_nothing_is_0_and_without_an_object_there_is_none(objects, found, ap, engine):
    result = equal_to_pycocotools(planted(objects, found), [[1, 1], [0, 2]], engine)
    assert result.overall["AP"] == pytest.approx(ap, nan_ok=True)


@numba
def test_both_engines_give_the_same_over_many_blocks_and_threads():
    matches = matches_of(*random_set(2))
    weights = image_weights(np.random.default_rng(0), matches.images, 200)
    slow, fast = (
        weighted_ap(matches, weights, engine=engine)
        for engine in (numpy_engine(1), compiled_engine(3))
    )
    for name in AP_METRICS:
        np.testing.assert_allclose(slow.by_class[name], fast.by_class[name], rtol=0, atol=1e-12)


def test_chosen_metrics_only():
    matches = matches_of(*random_set(2))
    weights = image_weights(np.random.default_rng(0), matches.images, 100)
    few = weighted_ap(matches, weights, metrics=("AP75", "APs"))
    assert list(few.overall) == ["AP75", "APs"]
    expected = weighted_ap(matches, weights).by_class["APs"]
    assert np.array_equal(few.by_class["APs"], expected, equal_nan=True)
    with pytest.raises(InputError, match="unknown metric 'APx'; known: AP, AP50"):
        weighted_ap(matches, weights, metrics=("APx",))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.ones((2, 3), int), "2 images"),
        (np.ones(2, int), "2 images"),
        (np.ones((1, 2)), "whole numbers"),
        (np.array([[1, -1]]), "0 or more"),
        (np.array([[1, 2**40]]), "below"),
    ],
)
def test_other_weights_are_refused(weights, message):
    with pytest.raises(InputError, match=message):
        weighted_ap(matches_of(*planted([(1, BOX)], [])), weights)


@numba
def test_the_best_engine_is_numbas_where_it_works():
    assert best_engine().name == "numba"


def test_without_numba_the_engine_is_numpy(monkeypatch):
    def missing():
        raise InputError("no numba")

    monkeypatch.setattr(engines, "compiled_loops", missing)
    assert best_engine().name == "numpy"
    with pytest.raises(InputError, match="no numba"):
        compiled_engine()

import json
from pathlib import Path

import numpy as np
import pytest
from judged_runs import IMAGES, VIDEOS, draw_truth
from resampled_sets import pycocotools_ap, random_set, repeated

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.measured import draw_resamples, images_of_classes, measure, measure_file
from yolox_attn.stats.verdict import Terms
from yolox_attn.stats.weighted_ap import METRICS

SEEDS = (5, 11, 12)  # of sets with several images and classes
TERMS = Terms(replicates=120, seed=4)


@pytest.mark.parametrize("seed", SEEDS)
def test_ap_points_as_pycocotools_gives_them_on_the_images_and_on_each_resample(seed):
    content, detections = random_set(seed)
    weights = image_weights(np.random.default_rng(seed), len(content["images"]), 3)
    found = measure(match(truth_from(content), detections), weights)
    as_they_are = pycocotools_ap(content, detections)
    assert list(found.metrics) == list(found.resampled) == list(METRICS)
    for name in METRICS:
        np.testing.assert_allclose(found.metrics[name], 100 * as_they_are[name][0], atol=1e-10)
        assert found.resampled[name].shape == (3,)
    np.testing.assert_allclose(found.by_class, 100 * as_they_are["AP"][1:], atol=1e-10)
    for row, own in enumerate(weights):
        expected = pycocotools_ap(*repeated(content, detections, own))
        for name in METRICS:
            value = 100 * expected[name][0]
            np.testing.assert_allclose(found.resampled[name][row], value, atol=1e-10)
        classes = 100 * expected["AP"][1:]
        np.testing.assert_allclose(found.class_resampled[row], classes, atol=1e-10)


def test_a_file_counts_unknown_categories_and_a_refusal_names_it(tmp_path):
    drawn = draw_resamples(truth_from(draw_truth()), TERMS)
    entry = {"image_id": 1, "category_id": 1, "bbox": [0, 0, 9, 9], "score": 0.5}
    path = tmp_path / "D.json"
    path.write_text(json.dumps([entry, *2 * [{**entry, "category_id": 999}]]))
    assert measure_file(path, drawn).unknown_categories == 2
    path.write_text(json.dumps([{**entry, "image_id": -4}]))
    with pytest.raises(InputError, match=f"^{path}: detection 1: the truth has no image -4"):
        measure_file(path, drawn)


def test_an_image_counts_once_for_a_class_and_a_crowd_alone_does_not():
    box = {"bbox": [0, 0, 9, 9], "area": 81}
    objects = [(7, 30, 0), (7, 30, 0), (7, 10, 1), (3, 30, 0), (3, 30, 1), (5, 10, 1)]
    content = {
        "images": [{"id": 7}, {"id": 3}, {"id": 5}],
        "categories": [{"id": 30}, {"id": 10}, {"id": 20}],
        "annotations": [
            {"image_id": i, "category_id": k, "iscrowd": c, **box} for i, k, c in objects
        ],
    }
    assert images_of_classes(truth_from(content)).tolist() == [0, 0, 2]  # of classes 10, 20, 30
    none = {**content, "annotations": []}
    assert images_of_classes(truth_from(none)).tolist() == [0, 0, 0]


def test_one_seed_one_draw() -> None:
    drawn = draw_resamples(truth_from(draw_truth()), TERMS)
    expected = image_weights(np.random.default_rng(4), IMAGES, 120)
    assert np.array_equal(drawn.weights, expected)
    assert (drawn.units, drawn.groups, drawn.test_set.images) == (IMAGES, None, IMAGES)


def test_images_of_a_group_are_drawn_together(tmp_path: Path) -> None:
    content = draw_truth()
    by_key = draw_resamples(truth_from(content), TERMS, "video")
    of_first = [k for k, image in enumerate(content["images"]) if image["video"] == 1]
    assert (by_key.weights[:, of_first] == by_key.weights[:, of_first[:1]]).all()
    assert (by_key.units, by_key.groups) == (VIDEOS, f"{VIDEOS} groups by video")
    assert by_key.test_set.images == VIDEOS  # the freedom of the interval is that of the groups
    listed = tmp_path / "g.csv"
    rows = [f"{image['id']},{image['video']}" for image in content["images"]]
    listed.write_text("\n".join(["image,group", *rows]))
    by_csv = draw_resamples(truth_from(content), TERMS, str(listed))
    assert np.array_equal(by_csv.weights, by_key.weights)
    assert by_csv.groups == f"{VIDEOS} groups by g.csv"


def test_groups_that_are_not_there() -> None:
    with pytest.raises(InputError, match=r"cannot read gone\.csv"):
        draw_resamples(truth_from(draw_truth()), TERMS, "gone.csv")

import json

import numpy as np
import pytest
from judged_runs import IMAGES, VIDEOS, draw_truth
from resampled_sets import random_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.jackknife import leave_out_weights
from yolox_attn.stats.measured import draw_resamples, images_of_classes, measure, measure_file
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.weighted_ap import AP_METRICS, weighted_ap

TERMS = Terms(replicates=120, seed=4)


def test_ap_points_of_the_images_as_they_are_of_each_resample_and_without_each_block():
    content, detections = random_set(2)
    matches = match(truth_from(content), detections)
    weights = image_weights(np.random.default_rng(0), matches.images, 3)
    blocks = np.arange(matches.images) // 2
    found, expected = measure(matches, weights, blocks), weighted_ap(matches, weights)
    left_out = weighted_ap(matches, leave_out_weights(blocks))
    as_they_are = weighted_ap(matches, np.ones((1, matches.images), int))
    for name in AP_METRICS:
        np.testing.assert_allclose(found.metrics[name], 100 * as_they_are.overall[name][0])
        np.testing.assert_allclose(found.resampled[name], 100 * expected.overall[name])
        np.testing.assert_allclose(found.left_out[name], 100 * left_out.overall[name])
    np.testing.assert_allclose(found.by_class, 100 * as_they_are.by_class["AP"][0])
    np.testing.assert_allclose(found.class_left_out, 100 * left_out.by_class["AP"])


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


def test_resamples_are_drawn_by_the_terms_of_images_or_of_their_groups(tmp_path):
    content = draw_truth()
    truth = truth_from(content)
    drawn = draw_resamples(truth, TERMS)
    assert np.array_equal(drawn.weights, image_weights(np.random.default_rng(4), IMAGES, 120))
    assert (drawn.units, drawn.groups, drawn.test_set.images) == (IMAGES, None, IMAGES)
    by_key = draw_resamples(truth, TERMS, "video")
    of_first = [k for k, image in enumerate(content["images"]) if image["video"] == 1]
    assert (by_key.weights[:, of_first] == by_key.weights[:, of_first[:1]]).all()
    assert (by_key.units, by_key.groups) == (VIDEOS, f"{VIDEOS} groups by video")
    assert by_key.test_set.images == VIDEOS  # the freedom of the interval is that of the groups
    sizes = np.bincount(by_key.blocks)
    assert by_key.test_set.effective == pytest.approx(IMAGES**2 / np.square(sizes).sum())
    listed = tmp_path / "g.csv"
    rows = [f"{image['id']},{image['video']}" for image in content["images"]]
    listed.write_text("\n".join(["image,group", *rows]))
    by_csv = draw_resamples(truth, TERMS, str(listed))
    assert np.array_equal(by_csv.weights, by_key.weights)
    assert by_csv.groups == f"{VIDEOS} groups by g.csv"

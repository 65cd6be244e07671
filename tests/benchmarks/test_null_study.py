"""The promise of the whole, from drawn boxes to the word, where nothing of the noise is known."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from drawn_boxes import FIELD, SHARES, draw_detections, draw_truth
from null_study import DRAWINGS, Drawing, draw_groups, judge_drawn_studies, tally_of

from yolox_attn.coco.annotations import Truth, truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.errors import InputError
from yolox_attn.stats.jackknife import effective_number
from yolox_attn.stats.measured import Measured, measure
from yolox_attn.stats.verdict import Judgement, Word

NULL = Drawing(images=60, replicates=100, method_image=0.1, seed_effect=0.4)
EASY_OR_HOPELESS = Drawing(
    images=60,
    replicates=200,
    seeds=4,
    effect=1,
    difficulty=4,
    method_image=0.1,
    seed_effect=0.02,
    seed_image=0.05,
)


def judged(drawing: Drawing, studies: int, seed: int = 0) -> list[Judgement]:
    return judge_drawn_studies(drawing, studies, np.random.default_rng(seed))


def errors_of(studies: list[Judgement]) -> tuple[float, float]:
    """What the studies report as standard error, and what their differences really have."""
    reported = [(each.seed_error or 0) ** 2 + each.image_error**2 for each in studies]
    return float(np.sqrt(np.mean(reported))), float(np.std([each.difference for each in studies]))


@pytest.fixture(scope="module")
def null_studies() -> list[Judgement]:
    return judged(NULL, 15)


def test_two_detectors_equally_good_are_hardly_ever_told_apart_but_by_images_alone(null_studies):
    """The images alone would, so this would fail if the noise of the seeds were left out."""
    tally = tally_of(null_studies)
    assert tally.claim_limits()[0] <= 0.06
    assert tally.images_only > tally.studies / 3


def test_the_reported_error_is_the_real_one(null_studies):
    reported, real = errors_of(null_studies)
    assert 0.75 < reported / real < 1.4


def test_an_effect_is_found_as_every_run_meets_the_same_resamples():
    """What a resample holds moves every run alike; drawn for each run apart, it would be noise."""
    studies = judged(EASY_OR_HOPELESS, 12)
    assert tally_of(studies).words[Word.HELPS] >= 9
    reported, real = errors_of(studies)
    assert reported < 1.8 * real


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "seeds", "limit"),
    [
        ("seeds dominate", 3, 0.05),
        ("seeds dominate", 5, 0.05),
        ("balanced", 3, 0.05),
        ("images dominate", 3, 0.05),
        ("20 classes on 30 images", 3, 0.05),
        ("25 unequal groups", 5, 0.06),
    ],
)
def test_null_studies(regime, seeds, limit):
    studies = judged(replace(DRAWINGS[regime], seeds=seeds), 200)
    assert tally_of(studies).claim_limits()[0] <= limit
    reported, real = errors_of(studies)
    assert 0.85 < reported / real < 1.2


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["seeds dominate", "balanced", "images dominate"])
def test_a_real_effect_is_found_in_every_regime(regime):
    studies = judged(replace(DRAWINGS[regime], effect=1.0, seeds=5), 60)
    assert tally_of(studies).words[Word.HELPS] >= 42


def test_counts_of_what_every_procedure_says():
    tally = tally_of(judged(replace(NULL, images=20, effect=6.0), 3))
    assert (tally.studies, tally.images_only, tally.paired_t) == (3, 3, 3)
    assert tally.words[Word.HELPS] == 3
    single = tally_of(judged(replace(NULL, images=20, seeds=1), 3))
    assert (single.paired_t, single.words[Word.CANNOT_TELL]) == (0, 3)


def test_one_stream_one_result_and_progress_counts():
    small, done = Drawing(images=12, replicates=100), []
    first = judge_drawn_studies(small, 2, np.random.default_rng(3), done.append)
    assert done == [1, 1]
    assert first == judged(small, 2, seed=3)


def test_unequal_groups_take_every_image_and_are_unequal():
    drawing = DRAWINGS["25 unequal groups"]
    groups = draw_groups(drawing, np.random.default_rng(0))
    sizes = np.bincount(groups)
    assert (len(groups), len(sizes), sizes.min()) == (drawing.images, drawing.groups, 3)
    assert sizes.max() > drawing.images / 6
    assert 10 <= effective_number(groups) < 20


@pytest.mark.parametrize("wrong", [{"images": 3}, {"seeds": 0}, {"seed_effect": -0.1}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(InputError, match="nothing can be drawn"):
        Drawing(**wrong)


@pytest.fixture(scope="module")
def truth() -> Truth:
    return truth_from(draw_truth(200, np.random.default_rng(0)))


def results(truth: Truth, sure: float, seed: int = 1) -> list[dict]:
    return draw_detections(truth, np.full(len(truth.objects), sure), np.random.default_rng(seed))


def measured(truth: Truth, detections: list[dict]) -> Measured:
    images = len(truth.images)
    return measure(match(truth, detections), np.ones((1, images), int), np.arange(images))


def test_a_truth_has_all_that_matching_deals_with(truth):
    counts = Counter(each["category_id"] for each in truth.objects)
    assert sorted(counts) == list(range(len(SHARES)))
    assert 0 < counts[3] < counts[0] / 5
    assert 0 < sum(each["iscrowd"] for each in truth.objects) < 0.1 * len(truth.objects)
    assert {each["image_id"] for each in truth.objects} == set(range(200))
    assert min(each["area"] for each in truth.objects) < 32**2
    assert max(each["area"] for each in truth.objects) > 96**2
    assert all(x >= 0 and x + w <= FIELD for x, _, w, _ in (o["bbox"] for o in truth.objects))


def test_detections_tie_miss_err_and_find(truth):
    sure = np.random.default_rng(2).normal(0, 1.5, len(truth.objects))
    drawn = draw_detections(truth, sure, np.random.default_rng(1))
    scores = Counter(each["score"] for each in drawn)
    assert max(scores.values()) > 5
    assert all(0 < score <= 1 for score in scores)
    right = {(each["image_id"], each["category_id"]) for each in truth.objects}
    assert any((each["image_id"], each["category_id"]) not in right for each in drawn)
    metrics = measured(truth, drawn).metrics
    assert 5 < metrics["AP"] < 70
    assert metrics["AP"] < metrics["AP50"] < 95


def test_the_surer_a_run_the_more_it_finds(truth):
    points = [measured(truth, results(truth, s)).metrics["AP"] for s in (-2, -1, 0, 1, 2)]
    assert points == sorted(points)
    assert points[0] < 1  # what it is so unsure of is not reported, and noise finds next to nothing
    assert points[-1] > 50


def test_one_stream_one_set(truth):
    assert results(truth, 0.5) == results(truth, 0.5)
    assert results(truth, 0.5) != results(truth, 0.5, seed=2)

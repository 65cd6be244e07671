"""The promise of the whole, from drawn boxes to the word, where nothing of the noise is known."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from drawn_boxes import FIELD, SHARES, draw_detections, draw_truth
from null_study import DRAWINGS, Drawing, judge_drawn_studies, tally_of

from yolox_attn.coco.annotations import Truth, truth_from
from yolox_attn.errors import InputError
from yolox_attn.stats.measured import measure
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.verdict import Judgement, Word

SHORT = {"images": 60, "replicates": 200}
LUCKY = Drawing(**SHORT, method_image=0.1, luck=0.4)
EASY_OR_HOPELESS = Drawing(
    **SHORT, seeds=4, effect=1, difficulty=4, method_image=0.1, luck=0.02, run_image=0.05
)


def judged(drawing: Drawing, studies: int, seed: int = 0) -> list[Judgement]:
    return judge_drawn_studies(drawing, studies, np.random.default_rng(seed))


def claims(found: list[Judgement]) -> int:
    return sum(each.word in ("helps", "hurts") for each in found)


def errors_of(found: list[Judgement]) -> tuple[float, float]:
    """What the studies report as standard error, and what their differences really have."""
    reported = [(each.seed_error or 0) ** 2 + each.image_error**2 for each in found]
    return float(np.sqrt(np.mean(reported))), float(np.std([each.difference for each in found]))


@pytest.fixture(scope="module")
def lucky() -> list[Judgement]:
    return judged(LUCKY, 30)


def test_two_detectors_equally_good_are_hardly_ever_told_apart(lucky):
    assert clopper_pearson(claims(lucky), len(lucky))[0] <= 0.06


def test_the_images_alone_would_tell_them_apart(lucky):
    """So the test above would fail if the noise of the seeds were left out."""
    assert tally_of(lucky).images_only > len(lucky) / 3


def test_the_reported_error_is_the_real_one(lucky):
    reported, real = errors_of(lucky)
    assert 0.75 < reported / real < 1.4


def test_an_effect_is_found_as_every_run_meets_the_same_resamples():
    """What a resample holds moves every run alike; drawn for each run apart, it would be noise."""
    found = judged(EASY_OR_HOPELESS, 12)
    assert Counter(each.word for each in found)["helps"] >= 9
    reported, real = errors_of(found)
    assert reported < 1.8 * real


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "seeds", "limit"),
    [
        ("seeds dominate", 3, 0.08),  # Satterthwaite's t errs by 7.8 % there, see statistics.md
        ("seeds dominate", 5, 0.06),
        ("balanced", 3, 0.06),
        ("images dominate", 3, 0.06),
    ],
)
def test_null_studies(regime, seeds, limit):
    found = judged(replace(DRAWINGS[regime], seeds=seeds), 200)
    assert clopper_pearson(claims(found), 200)[0] <= limit
    reported, real = errors_of(found)
    assert 0.85 < reported / real < 1.5  # noise of seed x image stands in both parts


@pytest.mark.slow
@pytest.mark.parametrize("regime", DRAWINGS)
def test_a_real_effect_is_found_in_every_regime(regime):
    found = judged(replace(DRAWINGS[regime], effect=1.0, seeds=5), 60)
    assert Counter(each.word for each in found)["helps"] >= 42


def test_counts_of_what_every_procedure_said():
    found = judged(replace(LUCKY, images=20, effect=6.0), 3)
    tally = tally_of(found)
    assert (tally.studies, tally.images_only, tally.paired_t) == (3, 3, 3)
    assert tally.words[Word.HELPS] == 3
    single = tally_of(judged(replace(LUCKY, images=20, seeds=1), 3))
    assert (single.paired_t, single.words[Word.CANNOT_TELL]) == (0, 3)


def test_one_stream_one_result_and_progress_counts():
    small, done = Drawing(images=12, replicates=100), []
    first = judge_drawn_studies(small, 2, np.random.default_rng(3), done.append)
    assert done == [1, 1]
    assert first == judged(small, 2, seed=3)


@pytest.mark.parametrize("wrong", [{"images": 3}, {"seeds": 0}, {"luck": -0.1}])
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(InputError, match="nothing can be drawn"):
        Drawing(**wrong)


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
    assert 5 < everything.metrics["AP"] < 70
    assert everything.metrics["AP"] < everything.metrics["AP50"] < 95


def test_the_surer_a_run_the_more_it_finds():
    truth, weights = drawn(), np.ones((1, 200), int)
    points = [measure(truth, found(truth, s), weights).metrics["AP"] for s in (-2, -1, 0, 1, 2)]
    assert points == sorted(points)
    assert points[0] < 1  # what it is so unsure of is not reported, and noise finds next to nothing
    assert points[-1] > 50


def test_one_stream_one_set():
    truth = drawn()
    assert found(truth, 0.5) == found(truth, 0.5)
    assert found(truth, 0.5) != found(truth, 0.5, seed=2)
    assert draw_truth(20, np.random.default_rng(0)) == draw_truth(20, np.random.default_rng(0))

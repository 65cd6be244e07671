"""The promise of the whole, from drawn boxes to the word, where nothing of the noise is known."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from null_study import DRAWINGS, Drawing, judge_drawn_studies, tally_of
from yolox_attn.errors import InputError
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

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import Paired, estimate, p_value
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.stages import (
    OPEN,
    LookRules,
    Outcome,
    Stages,
    Why,
    claims,
    decide_control,
    decide_look,
    expected_seeds,
    levels,
)
from yolox_attn.stats.verdict import Word

LOOKS = (4, 7, 10)
TWO = Stages((4, 7), ((0.016, 0.04), (0.008, 0.018)))  # not exact: what is decided, not how often


def at(number: int, stages: Stages = TWO, claimed: int = 0, sesoi: float = 0.5) -> LookRules:
    return LookRules(stages, number, claimed, sesoi)


def pairs(differences, error: float = 0.0, images: float = 300) -> Paired:
    variance = np.array(error**2)
    return estimate(differences, ImageNoise(variance, variance, variance), images)


@pytest.mark.parametrize(
    ("looks", "alone", "of_four"),
    [
        ((3, 5, 8, 12), (0.00313, 0.00593, 0.01523, 0.03542), (0.00078, 0.00144, 0.00364, 0.00817)),
        ((4, 7, 10), (0.00800, 0.01815, 0.03428), (0.00200, 0.00434, 0.00780)),
        ((3, 6), (0.01250, 0.03995), (0.00313, 0.00964)),
    ],
)
def test_levels_of_twenty_million_other_draws(looks, alone, of_four):
    found = levels(looks, 0.05, 4)
    assert len(found) == 4
    np.testing.assert_allclose(found[0], alone, rtol=0.012, atol=6e-5)
    np.testing.assert_allclose(found[3], of_four, rtol=0.012, atol=6e-5)


def test_one_look_has_the_whole_level():
    assert levels((5,), 0.05, 2) == ((0.05,), (0.025,))


def test_growing_samples_of_seeds_claim_as_often_as_alpha_says():
    """Drawn seed by seed, not by the sums that the levels were found with."""
    (alone,) = levels(LOOKS, 0.05, 1)
    values = np.random.default_rng(1).normal(0, 1, (40_000, LOOKS[-1]))
    claimed = np.zeros(len(values), dtype=bool)
    for seeds, level in zip(LOOKS, alone, strict=True):
        claimed |= stats.ttest_1samp(values[:, :seeds], 0, axis=1).pvalue < level
    assert claimed.mean() == pytest.approx(0.05, abs=0.004)


@pytest.mark.parametrize("looks", [(), (2, 5), (4, 4), (7, 4)])
def test_what_are_no_looks_is_refused(looks):
    with pytest.raises(InputError, match="looks"):
        levels(looks, 0.05, 1)


@pytest.mark.parametrize(
    ("p_values", "claimed", "found"),
    [
        ([0.001, 0.2, 0.02], 0, [0]),  # the next step, 0.02, is not below 0.015
        ([0.001, 0.014, 0.02], 0, [0, 1, 2]),
        ([0.02, 0.029], 1, []),
        ([0.014, 0.029], 1, [0, 1]),
        ([0.011, 0.012, 0.013], 0, []),
        ([], 0, []),
    ],
)
def test_holms_steps_at_one_look(p_values, claimed, found):
    assert claims(p_values, [0.03, 0.015, 0.01], claimed) == found


def test_each_word_of_a_look():
    found = decide_look(
        {
            "helps": pairs([1.0, 1.1, 0.9, 1.0]),
            "none": pairs([0.02, -0.02, 0.01, 0.0]),
            "open": pairs([0.9, -0.5, 0.3, 0.2]),
            "images": pairs([0.3, 0.31, 0.29, 0.3], error=0.6),
        },
        at(1, Stages((4, 7), ((0.016, 0.04),) * 4)),
    )
    assert found == {
        "helps": Outcome(Word.HELPS, Why.CLAIM),
        "none": Outcome(Word.NO_DIFFERENCE, Why.EQUIVALENCE),
        "open": OPEN,
        "images": Outcome(Word.CANNOT_TELL, Why.IMAGES),
    }


def test_at_the_last_look_what_is_open_cannot_be_told():
    hurts, still = pairs([-1.0, -1.1, -0.9] * 2 + [-1.0]), pairs([0.9, -0.5, 0.3] * 2 + [0.2])
    found = decide_look({"a": hurts, "b": still}, at(2))
    assert found["a"] == Outcome(Word.HURTS, Why.CLAIM)
    assert found["b"] == Outcome(Word.CANNOT_TELL, Why.LAST)


def test_only_claims_leave_the_others_a_larger_level():
    """p between .008 and .016: enough for one variant alone, not for two of which none claims."""
    paired = pairs([1.0, 1.35, 0.5, 0.9])
    assert 0.008 < p_value(paired) < 0.016
    other = pairs([0.02, -0.02, 0.01, 0.0])
    both = decide_look({"a": paired, "b": other}, at(1))
    assert (both["a"], both["b"].word) == (OPEN, Word.NO_DIFFERENCE)
    assert decide_look({"a": paired}, at(1, claimed=1))["a"].word is Word.HELPS
    assert decide_look({"a": paired}, at(1))["a"] == OPEN
    assert decide_control(paired, at(1)).word is Word.HELPS


@pytest.mark.parametrize("few", [pairs([1.0, 1.01]), pairs([1.0, 1.1, 0.9, 1.0], images=9.5)])
def test_too_few_pairs_or_images_forfeit_the_look(few):
    assert decide_look({"a": few}, at(1))["a"] == OPEN
    last = decide_look({"a": few}, at(2))["a"]
    assert last == Outcome(Word.CANNOT_TELL, Why.LAST)


@pytest.mark.parametrize(("excess", "word"), [(1, None), (0, Word.HELPS), (-1, Word.HELPS)])
def test_the_side_that_diverged_more_is_not_said_to_be_better(excess, word):
    better = {"a": pairs([1.0, 1.1, 0.9, 1.0])}
    found = decide_look(better, at(1, claimed=1), {"a": excess})
    assert found["a"].word is word
    worse = {"a": pairs([-1.0, -1.1, -0.9, -1.0])}
    found = decide_look(worse, at(1, claimed=1), {"a": -excess})
    assert found["a"].word is (None if word is None else Word.HURTS)


def test_images_forbid_nothing_that_more_seeds_could_still_decide():
    stages = Stages((4, 7), ((0.016, 0.04),))
    near = pairs([0.1, 0.3, 0.5, 0.3], error=0.2)  # with seeds enough it could turn out a claim
    assert decide_look({"a": near}, at(1, stages))["a"] == OPEN
    farther = pairs([0.1, 0.3, 0.5, 0.3], error=0.3)  # the images' error alone is too large
    assert decide_look({"a": farther}, at(1, stages))["a"].why is Why.IMAGES
    small = decide_look({"a": farther}, at(1, stages, sesoi=3.0))["a"]
    assert small.word is Word.NO_DIFFERENCE


def test_large_effects_end_a_study_early_and_done_looks_are_not_counted_again():
    stages = Stages(LOOKS, levels(LOOKS, 0.05, 2))
    clear, _ = expected_seeds(at(1, stages), 5.0, 0.5, 1)
    assert clear == pytest.approx(4, abs=0.1)
    doubtful, longest = expected_seeds(at(1, stages), 0.25, 0.5, 2)
    assert 8 < doubtful < longest <= 10
    assert expected_seeds(at(3, stages), 5.0, 0.5, 2) == (10, 10)


def test_stages_know_the_level_of_one_variant():
    assert replace(TWO).alone == (0.016, 0.04)

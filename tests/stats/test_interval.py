import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats import behrens_fisher
from yolox_attn.stats.interval import (
    Paired,
    equivalence_p,
    estimate,
    identical,
    image_interval,
    inside,
    interval,
    p_value,
)
from yolox_attn.stats.jackknife import ImageNoise, image_noise


def pairs(differences, error: float, images: float) -> Paired:
    """Of these seeds, where the images do the same to every one: `error` in AP points."""
    variance = np.asarray(error, dtype=float) ** 2
    return estimate(differences, ImageNoise(variance, variance, variance), images)


def test_a_study_worked_by_hand():
    """D = 1, 2, 3: var 1, SE_seed^2 = 1/3; SE_img 0.5: SE^2 = 7/12; 31 images."""
    paired = pairs([1, 2, 3], 0.5, 31)
    assert paired.difference == pytest.approx(2)
    assert paired.seed_error**2 == pytest.approx(1 / 3)
    assert paired.error**2 == pytest.approx(7 / 12)
    parts = (3**-0.5, 0.5), (2.0, 30.0)
    half = behrens_fisher.quantile(0.025, *parts)
    assert interval(paired) == (pytest.approx(2 - half), pytest.approx(2 + half))
    assert p_value(paired) == pytest.approx(2 * float(behrens_fisher.tail(2.0, *parts)))


def test_without_noise_of_images_it_is_the_paired_t_test():
    differences = np.random.default_rng(0).normal(0.3, 1, 7)
    paired, reference = pairs(differences, 0.0, 300), stats.ttest_1samp(differences, 0)
    assert p_value(paired) == pytest.approx(reference.pvalue)
    limits = reference.confidence_interval(0.9)
    assert interval(paired, 0.9) == (pytest.approx(limits.low), pytest.approx(limits.high))


def test_without_noise_of_seeds_images_alone_count():
    paired = pairs([0.5, 0.5, 0.5], 0.2, 50)
    assert paired.seed_error == 0
    assert interval(paired) == pytest.approx(image_interval(paired))


def test_noise_of_a_seed_on_these_images_is_counted_once():
    """It is in the differences already: of the images only what all seeds share is added."""
    once = estimate([1.0, 2.0, 3.0], ImageNoise(np.array(0.0), np.array(0.9), np.array(0.3)), 31)
    assert p_value(once) == pytest.approx(stats.ttest_1samp([1, 2, 3], 0).pvalue)
    half = stats.t.ppf(0.975, 30) * 0.3**0.5  # but these very checkpoints do have it
    assert image_interval(once) == (pytest.approx(2 - half), pytest.approx(2 + half))


def test_one_seed_has_no_interval_and_p_1():
    paired = pairs([3.0], 0.1, 300)
    assert p_value(paired) == 1
    assert interval(paired) == (-np.inf, np.inf)
    half = stats.t.ppf(0.975, 299) * 0.1
    assert image_interval(paired) == (pytest.approx(3 - half), pytest.approx(3 + half))


def test_two_seeds_have_an_interval():
    lower, upper = interval(pairs([1.0, 1.2], 0.0, 300))
    assert lower == pytest.approx(1.1 - 1.27062, abs=1e-5)  # t of 1 degree: 12.7062, SE 0.1
    assert upper == pytest.approx(1.1 + 1.27062, abs=1e-5)


def test_identical_runs_have_p_1_and_the_interval_0():
    paired = pairs([0.0, 0.0, 0.0], 0.0, 300)
    assert identical(paired)
    assert p_value(paired) == 1
    assert interval(paired) == (0, 0)


@pytest.mark.parametrize("differences", [[1.0, 1.0, 1.0], [0.1 + 0.2, 0.3, 0.3]])
def test_a_difference_without_noise_proves_nothing(differences):
    """Rounding in the last bit is no noise either."""
    paired = pairs(differences, 1e-16, 300)
    assert not identical(paired)
    assert p_value(paired) == 1
    assert interval(paired) == (-np.inf, np.inf)


def test_an_array_of_studies_is_each_study_alone():
    rng = np.random.default_rng(2)
    left_out = rng.normal(0, 0.1, (4, 100, 3))
    differences = rng.normal(0, 1, (4, 3))
    together = estimate(differences, image_noise(left_out), 300)
    for number in range(4):
        alone = estimate(differences[number], image_noise(left_out[number]), 300)
        assert p_value(together)[number] == pytest.approx(float(p_value(alone)), abs=1e-15)
        assert interval(together)[0][number] == pytest.approx(float(interval(alone)[0]))


@pytest.mark.parametrize(
    ("differences", "error", "images"),
    [
        ([], 0.1, 300),
        ([np.nan, 1], 0.1, 300),
        ([1, 2], 0.1, 1),
        ([1, 2], np.nan, 300),
        (1.0, 0.1, 9),
    ],
)
def test_what_is_no_study_is_refused(differences, error, images):
    with pytest.raises(InputError):
        pairs(differences, error, images)


def test_a_confidence_in_percent_is_refused():
    with pytest.raises(InputError, match="95"):
        interval(pairs([1, 2], 0.1, 300), 95)


def test_equivalence_p_is_that_of_the_paired_two_one_sided_tests():
    reference = pytest.importorskip("statsmodels.stats.weightstats")
    differences = np.random.default_rng(0).normal(0.1, 0.3, 8)
    expected = reference.DescrStatsW(differences).ttost_mean(-0.5, 0.5)[0]
    assert equivalence_p(pairs(differences, 0.0, 300), 0.5) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_an_equivalence_p_below_5_percent_is_a_90_percent_interval_inside(seed):
    rng = np.random.default_rng(seed)
    paired = pairs(rng.normal(0.1, 0.3, 4), 0.1, 300)
    lower, upper = interval(paired, 0.9)
    assert (equivalence_p(paired, 0.5) < 0.05) == inside((float(lower), float(upper)), 0.5)


def test_the_whole_line_and_an_end_on_the_margin_are_not_inside():
    assert not inside((-np.inf, np.inf), 0.5)
    assert not inside((-0.5, 0.1), 0.5)
    assert not inside((-0.1, 0.5), 0.5)
    assert inside((-0.49, 0.49), 0.5)


def test_equivalence_p_without_noise_to_judge_by():
    assert equivalence_p(pairs([0.0], 0.0, 9), 0.5) == 1  # one seed
    assert equivalence_p(pairs([0.1, 0.1], 0.0, 9), 0.5) == 1  # no noise to judge by
    assert equivalence_p(pairs([0.0, 0.0], 0.0, 9), 0.5) == 0  # identical


@pytest.mark.parametrize("margin", [0, -0.5, np.nan, np.inf])
def test_a_margin_that_is_not_positive_is_refused(margin):
    with pytest.raises(InputError, match="smallest effect"):
        inside((0, 1), margin)

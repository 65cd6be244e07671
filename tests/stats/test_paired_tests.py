import itertools

import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.paired_tests import (
    MAX_SEEDS,
    MIN_SEEDS,
    clopper_pearson,
    pairing,
    sign_flip_p,
    superiority,
)


def enumerated(differences) -> float:
    """Every pattern of signs, one by one, in whole numbers."""
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    return sum(value >= abs(sum(differences)) for value in sums) / len(sums)


@pytest.mark.parametrize("seed", range(20))
def test_sign_flips_count_every_pattern_with_ties_and_zeros(seed):
    rng = np.random.default_rng(seed)
    whole = [int(value) for value in rng.integers(-4, 5, rng.integers(1, 12))]
    assert sign_flip_p(whole) == enumerated(whole)
    assert sign_flip_p(np.array(whole) / 10) == enumerated(whole)  # tenths tie only up to rounding


def test_sign_flips_equal_scipys_exact_test():
    values = np.random.default_rng(3).normal(0.5, 1, 9)
    reference = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(values) == pytest.approx(reference.pvalue)


@pytest.mark.parametrize("seeds", [1, 2, 5, 6, 20, MAX_SEEDS])
def test_all_of_one_sign_give_the_smallest_p(seeds):
    p = sign_flip_p(-np.arange(1.0, seeds + 1))
    assert p == pytest.approx(2 / 2**seeds)
    assert (p < 0.05) == (seeds >= MIN_SEEDS)


def test_no_difference_has_p_1():
    assert sign_flip_p([0, 0, 0]) == 1
    assert sign_flip_p([1, -1]) == 1


@pytest.mark.parametrize("test", [sign_flip_p, superiority])
@pytest.mark.parametrize("values", [[], [np.nan], [[1.0]]])
def test_what_are_no_seeds_is_refused(test, values):
    with pytest.raises(InputError):
        test(values)


def test_more_seeds_than_can_be_counted_are_refused():
    with pytest.raises(InputError, match="up to 40 seeds, got 41"):
        sign_flip_p(np.ones(MAX_SEEDS + 1))


@pytest.mark.parametrize(
    ("successes", "trials", "limits"),
    [
        (0, 4, (0, 1 - 0.025**0.25)),
        (4, 4, (0.025**0.25, 1)),
        (1, 2, (1 - 0.975**0.5, 0.975**0.5)),  # P(two of two) = p^2, P(none) = (1 - p)^2
        (8, 20, (0.1912, 0.6395)),  # printed tables
    ],
)
def test_limits_of_a_share_by_hand(successes, trials, limits):
    assert clopper_pearson(successes, trials) == pytest.approx(limits, abs=5e-5)


@pytest.mark.parametrize(("seeds", "lower"), [(5, 0.48), (6, 0.54), (10, 0.69)])
def test_all_wins_prove_little(seeds, lower):
    found = superiority(np.ones(seeds))
    assert found.probability == 1
    assert found.interval == (pytest.approx(lower, abs=0.005), 1)


def test_ties_count_half_and_widen_the_interval_both_ways():
    found = superiority([1, 2, 0, -1])
    assert (found.probability, found.wins, found.ties) == (0.625, 2, 1)
    assert found.interval == (clopper_pearson(2, 4)[0], clopper_pearson(3, 4)[1])
    assert superiority([0, 0]).interval == (0, 1)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(successes, trials):
    with pytest.raises(InputError):
        clopper_pearson(successes, trials)


def test_pairing_by_hand():
    """A = 1..5, B = 2, 1, 4, 3, 5: r = 0.8, var 2 each, var(A - B) = 0.8."""
    found = pairing([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])
    assert found.correlation == pytest.approx(0.8)
    z = np.arctanh(0.8) + np.array([-1, 1]) * 1.959964 / 2**0.5  # Fisher's z: 1 / (n - 3)
    assert found.interval == pytest.approx(np.tanh(z), abs=1e-6)
    assert found.saved == pytest.approx(1 - 0.8 / 4)


def test_pairing_that_moves_the_sides_apart_saved_nothing():
    assert pairing([1, 2, 3, 4, 5], [5, 4, 3, 2, 1]).saved == pytest.approx(-1)


@pytest.mark.parametrize(
    ("variant", "baseline"), [([1, 2, 3, 4], [1, 2, 3, 5]), ([1, 1, 1, 1, 1], [1, 2, 3, 4, 5])]
)
def test_too_few_seeds_or_a_side_that_never_moves_says_nothing_of_pairing(variant, baseline):
    assert pairing(variant, baseline) is None

import itertools

import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.paired_tests import MAX_SEEDS, MIN_SEEDS, least_p, sign_flip_p


def enumerated(differences) -> float:
    """Every pattern of signs, one by one, in whole numbers."""
    sums = [
        abs(sum(s * d for s, d in zip(signs, differences, strict=True)))
        for signs in itertools.product((-1, 1), repeat=len(differences))
    ]
    return sum(value >= abs(sum(differences)) for value in sums) / len(sums)


@pytest.mark.parametrize("seed", range(20))
def test_it_counts_every_pattern_with_ties_and_zeros(seed):
    rng = np.random.default_rng(seed)
    whole = [int(value) for value in rng.integers(-4, 5, rng.integers(1, 12))]
    assert sign_flip_p(whole) == enumerated(whole)
    assert sign_flip_p(np.array(whole) / 10) == enumerated(whole)  # tenths tie only up to rounding


def test_it_equals_scipys_exact_test():
    values = np.random.default_rng(3).normal(0.5, 1, 9)
    judge = stats.permutation_test(
        (values,), np.sum, permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip_p(values) == pytest.approx(judge.pvalue)


@pytest.mark.parametrize("seeds", [1, 2, 5, 6, 20, MAX_SEEDS])
def test_all_of_one_sign_give_the_least_p(seeds):
    p = sign_flip_p(-np.arange(1.0, seeds + 1))
    assert p == pytest.approx(least_p(seeds)) == pytest.approx(2 / 2**seeds)
    assert (p < 0.05) == (seeds >= MIN_SEEDS)


def test_no_difference_has_p_1():
    assert sign_flip_p([0, 0, 0]) == 1
    assert sign_flip_p([1, -1]) == 1


@pytest.mark.parametrize("values", [[], [np.nan], [[1.0]], np.ones(MAX_SEEDS + 1)])
def test_what_are_no_seeds_is_refused(values):
    with pytest.raises(InputError):
        sign_flip_p(values)

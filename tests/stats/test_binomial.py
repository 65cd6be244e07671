import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.paired_tests import clopper_pearson, superiority


@pytest.mark.parametrize(("seeds", "lower"), [(5, 0.48), (6, 0.54), (10, 0.69)])
def test_all_wins_prove_little(seeds, lower):
    found = superiority(np.ones(seeds))
    assert found.probability == 1
    assert found.interval == (pytest.approx(lower, abs=0.005), 1)


@pytest.mark.parametrize("trials", [1, 2, 7, 200])
def test_every_count_equals_its_judge(trials):
    for successes in range(trials + 1):
        judge = stats.binomtest(successes, trials).proportion_ci(0.9, method="exact")
        assert clopper_pearson(successes, trials, 0.9) == pytest.approx((judge.low, judge.high))


def test_ties_count_half_and_widen_the_interval_both_ways():
    found = superiority([1, 2, 0, -1])
    assert (found.probability, found.wins, found.ties, found.seeds) == (0.625, 2, 1, 4)
    assert found.interval == (clopper_pearson(2, 4)[0], clopper_pearson(3, 4)[1])
    assert superiority([0, 0]).interval == (0, 1)


@pytest.mark.parametrize(("successes", "trials"), [(1, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_is_refused(successes, trials):
    with pytest.raises(InputError):
        clopper_pearson(successes, trials)


@pytest.mark.parametrize("differences", [[], [np.nan], [[1.0]]])
def test_what_are_no_seeds_is_refused(differences):
    with pytest.raises(InputError):
        superiority(differences)

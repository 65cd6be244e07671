import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import equivalence_p, inside, interval, two_component


def test_it_equals_the_paired_two_one_sided_tests():
    judge = pytest.importorskip("statsmodels.stats.weightstats")
    differences = np.random.default_rng(0).normal(0.1, 0.3, 8)
    expected = judge.DescrStatsW(differences).ttost_mean(-0.5, 0.5)[0]
    assert equivalence_p(two_component(differences, 0.0, 300), 0.5) == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(20))
def test_p_below_5_percent_is_a_90_percent_interval_inside(seed):
    rng = np.random.default_rng(seed)
    paired = two_component(rng.normal(0.1, 0.3, 4), 0.1, 300)
    lower, upper = interval(paired, 0.9)
    assert (equivalence_p(paired, 0.5) < 0.05) == inside((float(lower), float(upper)), 0.5)


def test_the_whole_line_and_an_end_on_the_margin_are_not_inside():
    assert not inside((-np.inf, np.inf), 0.5)
    assert not inside((-0.5, 0.1), 0.5)
    assert not inside((-0.1, 0.5), 0.5)
    assert inside((-0.49, 0.49), 0.5)


def test_edges():
    assert equivalence_p(two_component([0.0], 0.0, 9), 0.5) == 1  # one seed
    assert equivalence_p(two_component([0.1, 0.1], 0.0, 9), 0.5) == 1  # no noise to judge by
    assert equivalence_p(two_component([0.0, 0.0], 0.0, 9), 0.5) == 0  # identical


@pytest.mark.parametrize("margin", [0, -0.5, np.nan, np.inf])
def test_a_margin_that_is_none_is_refused(margin):
    with pytest.raises(InputError, match="smallest effect"):
        inside((0, 1), margin)

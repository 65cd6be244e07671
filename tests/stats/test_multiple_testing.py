import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.multiple_testing import benjamini_hochberg, holm


def test_holm_by_hand():
    """0.01 x 3 = 0.03; 0.03 x 2 = 0.06; 0.04 x 1 is raised to the 0.06 before it."""
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.9, 0.8]) == pytest.approx([1, 1])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]).shape == (0,)


def test_benjamini_hochberg_by_hand():
    """From the largest: 0.04; 0.03 x 3/2 = 0.045 falls to 0.04; 0.01 x 3 = 0.03."""
    assert benjamini_hochberg([0.04, 0.01, 0.03]) == pytest.approx([0.04, 0.03, 0.04])
    assert benjamini_hochberg([0.9, 0.8]) == pytest.approx([0.9, 0.9])
    assert benjamini_hochberg([]).shape == (0,)


@pytest.mark.parametrize("seed", range(5))
def test_holm_equals_statsmodels(seed):
    reference = pytest.importorskip("statsmodels.stats.multitest")
    rng = np.random.default_rng(seed)
    p = rng.choice([rng.random(), *rng.random(6), 0.0, 1.0], size=9) ** 2  # with ties
    assert holm(p) == pytest.approx(reference.multipletests(p, method="holm")[1])


def test_holm_keeps_the_family_error_where_plain_p_do_not():
    p = np.random.default_rng(0).random((4000, 6))
    wrong = np.mean([holm(row).min() < 0.05 for row in p])
    assert 0.035 < wrong < 0.06
    assert (p.min(axis=1) < 0.05).mean() > 0.2


@pytest.mark.parametrize("p", [[0.1, 1.2], [-0.1], [np.nan], [[0.1]]])
def test_what_is_no_p_value_is_refused(p):
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(InputError):
            adjust(p)

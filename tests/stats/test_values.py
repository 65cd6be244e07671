import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.terms import require_margin, require_share
from yolox_attn.stats.values import finite, seed_values


def test_numbers_come_back_as_an_array():
    assert np.array_equal(finite([[1, 2], [3, 4]], "the values"), [[1.0, 2.0], [3.0, 4.0]])
    assert np.array_equal(seed_values([0.5, 0.25], 2), [0.5, 0.25])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_not_finite_is_refused_by_its_name(value):
    with pytest.raises(InputError, match=r"^the differences hold a value that is not finite"):
        finite([1.0, value], "the differences")


@pytest.mark.parametrize("values", [[1.0], [[1.0, 2.0]], 3.0])
def test_seeds_are_a_list_of_enough_values(values):
    with pytest.raises(InputError, match="one value for each of 2 seeds or more"):
        seed_values(values, 2)


@pytest.mark.parametrize("margin", [0.0, -0.5, np.nan, np.inf])
def test_a_margin_is_positive(margin):
    with pytest.raises(InputError, match="smallest effect worth having must be above 0 AP"):
        require_margin(margin)
    require_margin(0.5)


@pytest.mark.parametrize("share", [0, 1, 95, -0.1])
def test_a_share_lies_between_0_and_1(share):
    with pytest.raises(InputError, match=r"confidence must be between 0 and 1 \(as 0.95, not 95\)"):
        require_share(share, "confidence")
    require_share(0.95, "confidence")

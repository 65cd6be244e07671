import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.verdict import Terms, fraction


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sesoi": 0.0}, "0"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": 0.0}, "alpha"),
        ({"replicates": 99}, "99 resamples are too few, give at least 100"),
    ],
)
def test_terms_that_make_no_sense_are_refused(wrong, says):
    with pytest.raises(InputError, match=says):
        Terms(**wrong)


def test_a_fraction_is_a_hundredth_of_a_point():
    assert fraction(50.0) == 0.5

import math

import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import estimate
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Amount, Evidence, Verdict, Word, decide, evidence

NOISE = ImageNoise(*3 * [np.array(0.01)])


def basis(
    difference=0.0, interval=(-1.0, 1.0), narrow=(-0.8, 0.8), p=1.0, seeds=5, images=300, **more
) -> Evidence:
    return Evidence(difference, interval, narrow, p, seeds, images, **more)


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        (basis(1.5, (0.5, 2.5), (0.7, 2.3), 0.01), Verdict(Word.HELPS, Amount.WORTHWHILE)),
        (basis(1.5, (0.49, 2.5), (0.7, 2.3), 0.01), Verdict(Word.HELPS, Amount.OPEN)),
        (basis(0.2, (0.1, 0.3), (0.12, 0.28), 0.01), Verdict(Word.HELPS, Amount.SMALL)),
        (basis(-1.5, (-2.5, -0.5), (-2.3, -0.7), 0.01), Verdict(Word.HURTS, Amount.WORTHWHILE)),
        (basis(-1.5, (-2.5, -0.4), (-2.3, -0.7), 0.01), Verdict(Word.HURTS, Amount.OPEN)),
        (basis(-0.2, (-0.3, -0.1), (-0.28, -0.12), 0.01), Verdict(Word.HURTS, Amount.SMALL)),
        (basis(0.1, (-0.6, 0.6), (-0.49, 0.49), 0.6), Verdict(Word.NO_DIFFERENCE)),
        (basis(0.1, (-0.6, 0.7), (-0.4, 0.5), 0.6), Verdict(Word.CANNOT_TELL)),
        (basis(0.9, (0.1, 1.7), (0.2, 1.6), 0.05), Verdict(Word.CANNOT_TELL)),  # Holm took it back
    ],
)
def test_the_first_that_fits(what, verdict):
    assert decide(what) == verdict


@pytest.mark.parametrize("seeds", [1, 2])
def test_one_or_two_seeds_never_tell(seeds):
    clear = basis(5.0, (4.9, 5.1), (4.95, 5.05), 0.0001, seeds)
    nothing = basis(0.0, (-0.1, 0.1), (-0.05, 0.05), 1.0, seeds)
    assert decide(clear) == decide(nothing) == Verdict(Word.CANNOT_TELL)


@pytest.mark.parametrize(("images", "word"), [(9.99, Word.CANNOT_TELL), (10.0, Word.HELPS)])
def test_fewer_than_ten_images_or_equal_groups_never_tell(images, word):
    assert decide(basis(5.0, (4.9, 5.1), (4.95, 5.05), 0.0001, images=images)).word is word


def test_what_is_worth_having_is_the_users():
    what = basis(1.0, (0.5, 1.5), (0.6, 1.4), 0.01)
    assert decide(what, sesoi=2.0).amount is Amount.SMALL
    assert decide(what, sesoi=1.0).amount is Amount.OPEN


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: basis(difference=math.nan),
        lambda: basis(alpha=5),
        lambda: evidence(estimate([1.0, 2.0], NOISE, 300), 1.5),
        lambda: evidence(estimate(np.zeros((2, 3)), NOISE, 300), 0.5),
        lambda: decide(basis(), sesoi=0),
    ],
)
def test_what_cannot_be_judged_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sesoi": 0.0}, "0"),
        ({"alpha": 0.5}, "alpha"),
        ({"alpha": 0.0}, "alpha"),
        ({"replicates": 99}, "99 resamples are too few, give at least 100"),
    ],
)
def test_terms_that_make_no_sense_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Terms(**wrong)

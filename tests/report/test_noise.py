import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.report.judge_runs import seed_noise
from yolox_attn.stats.measured import Measured, TestSet
from yolox_attn.stats.verdict import Terms

TEST = TestSet(300, ("cell",), (300,))


def runs(*points: float, images: float = 0.0) -> dict[int, Measured]:
    """Runs of such AP points whose resamples move by `images` points of their own."""
    rng = np.random.default_rng(0)
    shared = rng.normal(0, 5, 2000)  # common to all runs: no noise of a difference
    return {
        seed: Measured(
            {"AP": ap},
            {"AP": ap + shared + rng.normal(0, images, 2000)},
            np.zeros(1),
            np.zeros((1, 1)),
        )
        for seed, ap in enumerate(points)
    }


def test_the_noise_of_three_runs() -> None:
    """s = 0.1 points, so pairs scatter by 0.141: 3 seeds see 3.26 times that, 4 see 2.13.

    Chi-square limits of a deviation from 3 runs: 0.52 and 6.3 times it.
    """
    noise = seed_noise(runs(40.1, 40.0, 40.2), TEST, Terms(sesoi=0.5))
    assert noise is not None
    assert noise.sd == pytest.approx(0.001)
    assert noise.interval == pytest.approx((0.00052, 0.0063), rel=0.01)
    assert noise.detectable == pytest.approx(0.00461, rel=0.01)
    assert (noise.runs, noise.seeds, noise.images, noise.needed) == (3, 3, 300, 3)
    dearer = seed_noise(runs(40.1, 40.0, 40.2), TEST, Terms(sesoi=0.31))
    assert dearer is not None
    assert dearer.needed == 4


def test_images_that_two_runs_see_differently_make_it_dearer() -> None:
    quiet, loud = (
        seed_noise(runs(40.1, 40.0, 40.2, images=sd), TEST, Terms(sesoi=0.3)) for sd in (0.0, 0.5)
    )
    assert quiet is not None
    assert loud is not None
    assert loud.sd == quiet.sd
    assert loud.needed > quiet.needed  # type: ignore[operator]


def test_one_run_has_no_noise_to_tell() -> None:
    assert seed_noise(runs(40.0), TEST, Terms()) is None


def test_a_resample_without_any_object_has_no_noise_to_tell() -> None:
    alone = runs(40.1, 40.0)
    alone[1].resampled["AP"][3] = np.nan
    with pytest.raises(InputError, match="seed 1, is undefined on 1 of 2000 resamples"):
        seed_noise(alone, TEST, Terms())

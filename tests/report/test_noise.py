import pytest

from yolox_attn.report.model import FIGURES, RunResult
from yolox_attn.report.noise import seed_noise
from yolox_attn.stats.judge import Terms


def runs(*aps: float | None) -> list[RunResult]:
    each = dict.fromkeys(FIGURES, 0.1)
    return [RunResult("folder", seed, each | {"AP": ap}) for seed, ap in enumerate(aps)]


def test_the_noise_of_three_runs() -> None:
    """s = 0.1 points, so pairs scatter by 0.141: 3 seeds see 3.26 times that, 4 see 2.13.

    Chi-square limits of a deviation from 3 runs: 0.52 and 6.3 times it.
    """
    noise = seed_noise(runs(0.401, 0.400, 0.402), Terms(sesoi=0.5))
    assert noise is not None
    assert noise.sd == pytest.approx(0.001)
    assert noise.interval == pytest.approx((0.00052, 0.0063), rel=0.01)
    assert noise.detectable == pytest.approx(0.00461, rel=0.01)
    assert (noise.runs, noise.seeds, noise.needed) == (3, 3, 3)
    dearer = seed_noise(runs(0.401, 0.400, 0.402), Terms(sesoi=0.31))
    assert dearer is not None
    assert dearer.needed == 4


def test_one_run_has_no_noise_to_tell() -> None:
    assert seed_noise(runs(0.4), Terms()) is None
    assert seed_noise(runs(0.4, None), Terms()) is None

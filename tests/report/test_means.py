import pytest

from yolox_attn.report.comparison import FIGURES, RunResult, difference, mean_figures, sd_figures


def run(seed: int | None, ap: float | None) -> RunResult:
    return RunResult("folder", seed, dict.fromkeys(FIGURES, 0.5) | {"AP": ap})


def test_the_difference_is_over_the_seeds_asked_for() -> None:
    ours = [run(0, 0.5), run(1, 0.7), run(2, 0.9)]
    theirs = [run(2, 0.8), run(0, 0.4), run(1, 0.3)]
    assert difference(ours, theirs).figures["AP"] == pytest.approx(0.2)
    found = difference(ours, theirs, (0, 2))
    assert (found.figures["AP"], found.seeds) == (pytest.approx(0.1), (0, 2))


def test_without_a_common_seed_it_is_that_of_the_means() -> None:
    found = difference([run(None, 0.5), run(3, 0.7)], [run(None, 0.4)])
    assert (found.figures["AP"], found.seeds) == (pytest.approx(0.2), ())


def test_what_one_run_lacks_has_no_mean() -> None:
    runs = [run(0, None).figures, run(1, 0.4).figures]
    assert mean_figures(runs)["AP"] is None
    assert sd_figures(runs)["AP"] is None
    assert (mean_figures(runs)["APs"], sd_figures(runs)["APs"]) == (0.5, 0)
    assert sd_figures(runs[1:])["AP"] is None
    assert difference([run(0, None)], [run(0, 0.1)]).figures["AP"] is None

from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report import as_markdown, as_text
from yolox_attn.report.comparison import (
    AP_METRICS,
    RunResult,
    cleaned,
    difference,
    mean_metrics,
    sd_metrics,
)


def run(seed: int | None, ap: float | None) -> RunResult:
    return RunResult("folder", seed, dict.fromkeys(AP_METRICS, 0.5) | {"AP": ap})


def test_blocks_come_before_controls_and_only_what_was_judged() -> None:
    comparison = judged_comparison(3)
    shuffled = replace(comparison, variants=comparison.variants[::-1])
    names = [variant.name for variant, _ in shuffled.judged()]
    assert names[-1] == "yolox_nano_placebo"
    assert set(names) == {variant.name for variant in comparison.variants} - {comparison.baseline}


def test_the_difference_is_over_the_seeds_chosen_or_those_that_both_have() -> None:
    ours = [run(0, 0.5), run(1, 0.7), run(2, 0.9), run(7, 0.1)]
    theirs = [run(2, 0.8), run(0, 0.4), run(1, 0.3)]
    paired = difference(ours, theirs)
    assert (paired.metrics["AP"], paired.seeds) == (pytest.approx(0.2), (0, 1, 2))
    chosen = difference(ours, theirs, (0, 2))
    assert (chosen.metrics["AP"], chosen.seeds) == (pytest.approx(0.1), (0, 2))


def test_without_a_common_seed_it_is_that_of_the_means() -> None:
    unpaired = difference([run(None, 0.5), run(3, 0.7)], [run(None, 0.4)])
    assert (unpaired.metrics["AP"], unpaired.seeds) == (pytest.approx(0.2), ())


def test_what_one_run_lacks_has_no_mean() -> None:
    runs = [run(0, None).metrics, run(1, 0.4).metrics]
    assert mean_metrics(runs)["AP"] is None
    assert sd_metrics(runs)["AP"] is None
    assert (mean_metrics(runs)["APs"], sd_metrics(runs)["APs"]) == (0.5, 0)
    assert sd_metrics(runs[1:])["AP"] is None
    assert difference([run(0, None)], [run(0, 0.1)]).metrics["AP"] is None


def test_printed_it_is_what_the_command_prints_and_in_a_notebook_the_whole_report() -> None:
    comparison = replace(judged_comparison(3), notes=("a class \x1b[31mred",))
    assert str(comparison) == as_text(comparison)
    assert comparison._repr_markdown_() == as_markdown(cleaned(comparison))
    assert "\x1b" not in str(comparison) + comparison._repr_markdown_()

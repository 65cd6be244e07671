from collections.abc import Callable
from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.seeds import draw_seeds

Words = Callable[[Comparison, str], list[str]]


def test_a_line_joins_the_two_runs_of_each_seed() -> None:
    judged = judged_comparison(3)
    figure = draw_seeds(judged)
    assert figure is not None
    joined = [list(line.get_xdata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    baseline, *others = judged.variants
    wanted = [
        [100 * run.metrics["AP"] for run in pair]
        for each in others
        for pair in zip(baseline.runs, each.runs, strict=True)
    ]
    assert joined == [pytest.approx(ends) for ends in wanted]


def test_a_run_without_partner_has_no_line_and_wins_are_counted(words: Words) -> None:
    judged = judged_comparison(5)
    baseline, cam, *others = judged.variants
    assert cam.difference is not None
    lone = replace(cam, difference=replace(cam.difference, seeds=(1, 4)))
    shown = words(replace(judged, variants=(baseline, lone, *others)), "seeds")
    assert shown[shown.index("yolox_nano_cam") + 1].startswith("2 of 2 better, mean +")
    assert shown[shown.index("yolox_nano_cbam") + 1].startswith("0 of 5 better, mean -")


def test_many_seeds_go_closer_and_lose_their_numbers(words: Words) -> None:
    assert "9" in words(judged_comparison(10), "seeds")
    assert "9" not in words(judged_comparison(11), "seeds")

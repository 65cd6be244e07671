from collections.abc import Callable
from dataclasses import replace

import pytest
from judged_comparison import judged_comparison
from matplotlib.figure import Figure

from yolox_attn.report.figures.seeds import draw_seeds

Words = Callable[[Figure | None], list[str]]


def test_a_line_joins_the_two_runs_of_each_seed() -> None:
    judged = judged_comparison(3)
    figure = draw_seeds(judged)
    joined = [list(line.get_xdata()) for line in figure.axes[0].lines if len(line.get_xdata()) == 2]
    baseline, *others = judged.variants
    assert joined == [
        pytest.approx([100 * run.metrics["AP"] for run in pair])
        for each in others
        for pair in zip(baseline.runs, each.runs, strict=True)
    ]


def test_a_run_without_partner_or_ap_has_no_line_and_wins_are_counted(words: Words) -> None:
    judged = judged_comparison(5)
    baseline, cam, *others = judged.variants
    unknown = replace(cam.runs[2], metrics={**cam.runs[2].metrics, "AP": None})
    runs = (*cam.runs[:2], unknown, *cam.runs[3:])
    lone = replace(cam, runs=runs, difference=replace(cam.difference, seeds=(1, 2, 4)))
    shown = words(draw_seeds(replace(judged, variants=(baseline, lone, *others))))
    assert shown[shown.index("yolox_nano_cam") + 1].startswith("2 of 2 better, mean +")
    assert shown[shown.index("yolox_nano_cbam") + 1].startswith("0 of 5 better, mean -")


def test_many_seeds_go_closer_and_lose_their_numbers(words: Words) -> None:
    assert "9" in words(draw_seeds(judged_comparison(10)))
    assert "9" not in words(draw_seeds(judged_comparison(11)))

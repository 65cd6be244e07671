from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures.curves import draw_curves


def test_a_thick_line_is_the_mean_and_each_seed_has_a_thin_one() -> None:
    judged = judged_comparison(3)
    figure = draw_curves(judged)
    last = [100 * run.curve[-1][1] for run in judged.variants[0].runs]
    *seeds, line = figure.axes[0].lines[-4:]  # drawn last: on top
    assert line.get_xdata().tolist() == list(range(1, 9))
    assert line.get_ydata()[-1] == pytest.approx(sum(last) / 3)
    assert [each.get_ydata()[-1] for each in seeds] == pytest.approx(last)
    assert all(each.get_linewidth() < line.get_linewidth() for each in seeds)
    low, high = figure.axes[0].get_ylim()
    assert low < high  # better is up


def test_only_epochs_that_all_seeds_have_are_averaged() -> None:
    judged = judged_comparison(2)
    base = judged.variants[0]
    first, second = base.runs
    shorter = replace(base, runs=(first, replace(second, curve=second.curve[::2])))
    figure = draw_curves(replace(judged, variants=(shorter,)))
    assert figure.axes[0].lines[-1].get_xdata().tolist() == [1, 3, 5, 7]

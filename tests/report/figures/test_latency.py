from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures.latency import draw_latency


def test_both_spreads_are_drawn_around_the_point() -> None:
    judged = judged_comparison(5)
    figure = draw_latency(judged)
    across, up = (figure.axes[0].collections[place].get_paths()[0].vertices for place in (0, 1))
    mean, sd = judged.variants[0].mean["AP"], judged.variants[0].sd["AP"]
    assert across[:, 0].tolist() == [19.0, 23.0]
    assert up[:, 1].tolist() == pytest.approx([100 * (mean - sd), 100 * (mean + sd)])
    low, high = figure.axes[0].get_ylim()
    assert low < high  # better is up


def test_one_seed_has_no_spread_of_ap_and_an_untimed_variant_no_point() -> None:
    judged = judged_comparison(1)
    first, *others = judged.variants
    untimed = (replace(each, latency=None) for each in others)
    figure = draw_latency(replace(judged, variants=(first, *untimed)))
    assert len(figure.axes[0].collections) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["yolox_nano"]

from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures.latency import draw_latency


def test_the_point_has_its_interval_of_the_difference_and_its_spread_of_time() -> None:
    judged = judged_comparison(5)
    baseline, cam = judged.variants[:2]
    figure = draw_latency(replace(judged, variants=(baseline, cam)))
    of_base, across, up = (each.get_paths()[0].vertices for each in figure.axes[0].collections)
    assert of_base[:, 0].tolist() == [19.0, 23.0]  # the baseline has no interval of its own
    assert across[:, 0].tolist() == [20.0, 24.0]
    shift = baseline.mean["AP"]  # all seeds are paired, so the means differ by the difference
    assert up[:, 1].tolist() == pytest.approx([100 * (shift + e) for e in cam.judgement.interval])
    low, high = figure.axes[0].get_ylim()
    assert low < high  # better is up


def test_one_seed_has_no_spread_of_ap_and_an_untimed_variant_no_point() -> None:
    judged = judged_comparison(1)
    first, *others = judged.variants
    untimed = (replace(each, latency=None) for each in others)
    figure = draw_latency(replace(judged, variants=(first, *untimed)))
    assert len(figure.axes[0].collections) == 1
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["yolox_nano"]

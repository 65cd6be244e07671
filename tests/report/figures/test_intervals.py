from collections.abc import Callable
from dataclasses import replace

from judged_comparison import judged_comparison

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.intervals import LOOKS, draw_intervals
from yolox_attn.stats.verdict import Word

Words = Callable[[Comparison, str], list[str]]


def test_each_verdict_has_a_mark_of_its_own() -> None:
    assert set(LOOKS) == {word.value for word in Word}
    assert len({mark for _, mark in LOOKS.values()}) == len(LOOKS)


def test_a_row_says_name_word_and_difference_and_controls_stand_apart(words: Words) -> None:
    shown = words(judged_comparison(), "intervals")
    for name, verdict in (
        ("yolox_nano_cam", "helps  +1.73"),
        ("yolox_nano_se", "no worthwhile difference  +0.11"),
        ("yolox_nano_eca", "cannot tell  +0.74"),
        ("yolox_nano_cbam", "hurts  -2.05"),
    ):
        assert shown[shown.index(name) + 1].split() == verdict.split()
    assert "controls" in shown
    assert any("shaded: less than 0.5" in each for each in shown)
    assert any("thin 95 %, thick 90 % interval" in each for each in shown)


def test_without_controls_there_is_no_gap_for_them(words: Words) -> None:
    judged = judged_comparison()
    blocks = replace(judged, variants=judged.variants[:-1])
    assert "controls" not in words(blocks, "intervals")


def test_the_interval_is_drawn_in_ap_points() -> None:
    judged = judged_comparison()
    figure = draw_intervals(judged)
    found = judged.judged()[0][1].interval
    assert figure is not None
    assert found is not None
    ends = [list(map(float, line.get_xdata())) for line in figure.axes[0].lines]
    assert [100 * end for end in found] in ends


def test_an_unknown_interval_crosses_the_whole_figure() -> None:
    one = draw_intervals(judged_comparison(1))
    several = draw_intervals(judged_comparison(5))
    assert one is not None
    assert several is not None
    dotted = [line for line in one.axes[0].lines if line.get_linestyle() == ":"]
    assert [list(line.get_xdata()) for line in dotted] == [[0, 1]] * 5
    assert not [line for line in several.axes[0].lines if line.get_linestyle() == ":"]

from collections.abc import Callable
from dataclasses import replace

from judged_comparison import judged_comparison
from matplotlib.figure import Figure

from yolox_attn.report.figures.intervals import LOOKS, draw_intervals
from yolox_attn.stats.verdict import Word

FIVE = judged_comparison(5)
Words = Callable[[Figure | None], list[str]]


def test_each_verdict_has_a_mark_of_its_own() -> None:
    assert set(LOOKS) == {word.value for word in Word}
    assert len({mark for _, mark in LOOKS.values()}) == len(LOOKS)


def test_a_row_says_name_and_difference_and_the_marks_are_explained_below(
    words: Words,
) -> None:
    shown = words(draw_intervals(FIVE))
    for name, verdict in (
        ("yolox_nano_cam", "+1.73"),
        ("yolox_nano_se", "+0.11"),
        ("yolox_nano_eca", "+0.74"),
        ("yolox_nano_cbam", "-2.05"),
    ):
        assert shown[shown.index(name) + 1] == verdict
    assert "controls" in shown
    assert shown[-2:] == [
        "shaded: less than 0.5; thin 95 %, thick 90 % interval",
        "▲ helps   ▼ hurts   ■ no worthwhile difference   ◆ cannot tell",
    ]
    blocks = replace(FIVE, variants=FIVE.variants[:-1])
    assert "controls" not in words(draw_intervals(blocks))


def test_the_interval_is_drawn_in_ap_points() -> None:
    figure = draw_intervals(FIVE)
    interval = FIVE.judged()[0][1].interval
    ends = [list(map(float, line.get_xdata())) for line in figure.axes[0].lines]
    assert [100 * end for end in interval] in ends


def test_an_unknown_interval_crosses_the_whole_figure() -> None:
    one, several = (draw_intervals(judged_comparison(seeds)) for seeds in (1, 5))
    dotted = [line for line in one.axes[0].lines if line.get_linestyle() == ":"]
    assert [list(line.get_xdata()) for line in dotted] == [[0, 1]] * 5
    assert not [line for line in several.axes[0].lines if line.get_linestyle() == ":"]
    assert one.axes[0].get_xlabel().endswith("dotted: the interval is not known")

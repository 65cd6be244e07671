from collections.abc import Callable
from dataclasses import replace

from judged_comparison import judged_comparison
from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.classes import MOST, draw_classes
from yolox_attn.stats.verdict import Exploratory

FIVE = judged_comparison(5)
Words = Callable[[Figure | None], list[str]]


def with_classes(number: int) -> Comparison:
    """Classes c0, c1, ... whose differences grow, and turn their sign."""
    baseline, cam = FIVE.variants[:2]
    classes = tuple(
        Exploratory("class", f"c{place}", (-1) ** place * place / 1000, None, None, 40)
        for place in range(number)
    )
    undefined = Exploratory("class", "none", None, None, None, 0)
    judgement = replace(cam.judgement, exploratory=(*classes, undefined))
    return replace(FIVE, variants=(baseline, replace(cam, judgement=judgement)))


def test_the_largest_differences_are_shown_whatever_their_sign(words: Words) -> None:
    shown = words(draw_classes(with_classes(25)))
    names = [each for each in shown if each.startswith("c")]
    assert names == [f"c{place}" for place in range(24, 24 - MOST, -1)]
    assert "the 20 largest of 25 classes" in shown[-1]


def test_it_says_exploratory_and_how_many_images_show_a_class(words: Words) -> None:
    shown = words(draw_classes(FIVE))
    assert shown[-1] == "exploratory, no verdicts; hollow: no interval"
    assert shown[shown.index("platelets") + 1] == "120 images"


def test_a_class_without_interval_is_hollow() -> None:
    figure = draw_classes(FIVE)
    marks = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    hollow = [line.get_markerfacecolor() == "none" for line in marks]
    assert hollow == [False] * 10 + [True] * 5

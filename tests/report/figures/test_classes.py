from collections.abc import Callable
from dataclasses import replace

from judged_comparison import judged_comparison

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.classes import MOST, draw_classes
from yolox_attn.stats.verdict import Exploratory

Words = Callable[[Comparison, str], list[str]]


def with_classes(number: int) -> Comparison:
    """Classes c0, c1, ... whose differences grow, and turn their sign."""
    judged = judged_comparison(3)
    baseline, cam = judged.variants[:2]
    assert cam.judgement is not None
    found = tuple(
        Exploratory("class", f"c{place}", (-1) ** place * place / 1000, None, None, 40)
        for place in range(number)
    )
    judgement = replace(
        cam.judgement, exploratory=(*found, Exploratory("class", "none", None, None, None, 0))
    )
    return replace(judged, variants=(baseline, replace(cam, judgement=judgement)))


def test_the_largest_differences_are_shown_whatever_their_sign(words: Words) -> None:
    shown = words(with_classes(25), "classes")
    names = [each for each in shown if each.startswith("c")]
    assert names == [f"c{place}" for place in range(24, 24 - MOST, -1)]
    assert any("the 20 largest of 25 classes" in each for each in shown)


def test_it_says_exploratory_and_how_many_images_show_a_class(words: Words) -> None:
    shown = words(judged_comparison(), "classes")
    assert any("exploratory, no verdicts" in each for each in shown)
    assert shown[shown.index("platelets") + 1] == "120 images"
    assert not any("largest of" in each for each in shown)


def test_a_class_without_interval_is_hollow() -> None:
    figure = draw_classes(judged_comparison())
    assert figure is not None
    marks = [line for line in figure.axes[0].lines if line.get_marker() != "None"]
    hollow = [line.get_markerfacecolor() == "none" for line in marks]
    assert hollow == [False] * 10 + [True] * 5

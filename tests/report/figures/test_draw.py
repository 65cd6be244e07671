import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib
import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures import draw

ALL = ["intervals", "seeds", "latency", "curves", "classes"]


@pytest.mark.parametrize("seeds", [1, 2, 3, 5, 12])
def test_every_figure_is_drawn_whatever_the_number_of_seeds(seeds: int) -> None:
    drawn = draw(judged_comparison(seeds))
    assert list(drawn) == ALL
    for text in drawn.values():
        ET.fromstring(text)


def test_equal_input_gives_equal_text_whatever_the_user_has_set() -> None:
    first = draw(judged_comparison())
    with matplotlib.rc_context({"axes.linewidth": 5, "svg.fonttype": "path", "font.size": 30}):
        assert draw(judged_comparison()) == first
        assert matplotlib.rcParams["font.size"] == 30


def test_a_figure_with_nothing_to_show_is_absent() -> None:
    judged = judged_comparison()
    bare = tuple(
        replace(
            each,
            latency=None,
            judgement=None,
            difference=each.difference and replace(each.difference, seeds=()),
            runs=tuple(replace(run, curve=run.curve[:1]) for run in each.runs),
        )
        for each in judged.variants
    )
    assert draw(replace(judged, variants=bare, terms=None)) == {}


def test_what_was_not_judged_still_has_pairs_curves_and_latency() -> None:
    judged = judged_comparison()
    plain = tuple(replace(each, judgement=None) for each in judged.variants)
    drawn = draw(replace(judged, variants=plain, terms=None, family=()))
    assert list(drawn) == ["seeds", "latency", "curves"]

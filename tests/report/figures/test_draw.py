import xml.etree.ElementTree as ET
from dataclasses import replace

import matplotlib
import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures import draw

FIVE = judged_comparison(5)


@pytest.mark.parametrize("seeds", [1, 2, 12])
def test_every_figure_is_drawn_whatever_the_number_of_seeds(seeds: int) -> None:
    drawn = draw(judged_comparison(seeds))
    assert list(drawn) == ["intervals", "seeds", "latency", "curves", "classes"]
    for text in drawn.values():
        ET.fromstring(text)


def test_equal_input_gives_equal_text_whatever_the_user_has_set() -> None:
    first = draw(FIVE)
    with matplotlib.rc_context({"axes.linewidth": 5, "svg.fonttype": "path", "font.size": 30}):
        assert draw(FIVE) == first
        assert matplotlib.rcParams["font.size"] == 30


def test_a_figure_with_nothing_to_show_is_absent() -> None:
    plain = tuple(replace(each, judgement=None) for each in FIVE.variants)
    unjudged = replace(FIVE, variants=plain, terms=None, family=())
    assert list(draw(unjudged)) == ["seeds", "latency", "curves"]
    bare = tuple(
        replace(
            each,
            latency=None,
            difference=each.difference and replace(each.difference, seeds=()),
            runs=tuple(replace(run, curve=run.curve[:1]) for run in each.runs),
        )
        for each in plain
    )
    assert draw(replace(unjudged, variants=bare)) == {}

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from contrast import contrast
from judged_comparison import judged_comparison

from yolox_attn.report.figures import draw
from yolox_attn.report.figures.style import GREY, HUES, INK, limits, short, styles

FIVE = judged_comparison(5)
NAME = '<b>&x\x00 id="y" $z$ #010203'


@pytest.mark.parametrize("page", ["#ffffff", "#14171a"])
@pytest.mark.parametrize("colour", [*HUES, GREY])
def test_every_colour_is_seen_on_light_and_dark_pages(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 3  # WCAG AA for graphics


def test_no_two_of_many_variants_look_alike() -> None:
    many = tuple(replace(FIVE.variants[0], name=str(number)) for number in range(57))
    assert len(set(styles(replace(FIVE, variants=many)).values())) == 57


def test_a_long_name_loses_its_middle_and_its_lines() -> None:
    assert short("yolox_nano", 10) == "yolox_nano"
    assert short("yolox\nnano\u202e", 30) == "yolox nano "
    assert short("0123456789", 6) == "01…789"


def test_limits_of_one_value_have_room() -> None:
    assert limits([3.0, 3.0]) == (2.5, 3.5)


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    """All figures of a comparison in which a variant has an odd name."""
    baseline, cam, *others = FIVE.variants
    return draw(replace(FIVE, variants=(baseline, replace(cam, name=NAME), *others)))


def without_words(text: str) -> str:
    return re.sub(r"(<!--.*?-->|(?<=>)[^<]+)", "", text, flags=re.DOTALL)


def test_ids_are_those_referred_to_and_no_two_figures_share_one(drawn: dict[str, str]) -> None:
    for name, text in drawn.items():
        markup = without_words(text)
        ids = re.findall(r'\bid="([^"]+)"', markup)
        assert ids
        assert all(each.startswith(f"{name}-") for each in ids)
        assert len(set(ids)) == len(ids)
        assert set(re.findall(r'(?:href="|url\()#([\w-]+)', markup)) == set(ids)


def test_the_width_is_the_page_s_and_the_ink_its_text_colour(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        root = ET.fromstring(text)
        assert root.get("viewBox", "").startswith("0 0 360 ")
        assert (root.get("width"), root.get("height"), root.get("role")) == ("100%", None, "img")
        assert root.get("aria-label")
        assert INK not in without_words(text)
        assert "currentColor" in text
        assert "DejaVu" not in text


def test_nothing_is_fetched_and_no_style_reaches_the_page(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        assert "<style" not in text
        assert "<metadata" not in text
        assert set(re.findall(r"https?://[^\"]+", text)) <= {
            "http://www.w3.org/2000/svg",
            "http://www.w3.org/1999/xlink",
        }


def test_a_name_is_shown_as_it_is(drawn: dict[str, str]) -> None:
    root = ET.fromstring(drawn["seeds"])
    words = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text")]
    assert '<b>&x  id="y" $z$ #010203' in words

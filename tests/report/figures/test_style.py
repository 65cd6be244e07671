import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures import draw
from yolox_attn.report.figures.style import GREY, HUES, INK, short, spread, styles

PAGES = ("#ffffff", "#14171a")


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.1."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("colour", [*HUES, GREY])
def test_every_colour_is_seen_on_light_and_dark_pages(colour: str, page: str) -> None:
    assert contrast(colour, page) >= 3  # WCAG AA for graphics


def test_no_two_of_many_variants_look_alike() -> None:
    one = judged_comparison(1).variants[0]
    looks = styles([replace(one, name=str(number)) for number in range(57)], "0")
    assert len(set(looks.values())) == 57


def test_a_long_name_loses_its_middle_and_its_lines() -> None:
    assert short("yolox_nano", 10) == "yolox_nano"
    assert short("yolox\nnano\u202e", 30) == "yolox nano "
    assert short("0123456789", 6) == "01…789"


def test_limits_of_one_value_have_room() -> None:
    assert spread([3.0, 3.0]) == (2.5, 3.5)


NAME = '<b>&x\x00 id="y" $z$ #010203'


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return draw(judged_comparison())


def test_ids_are_those_referred_to_and_no_two_figures_share_one(drawn: dict[str, str]) -> None:
    for name, text in drawn.items():
        ids = re.findall(r'\bid="([^"]+)"', text)
        assert ids
        assert all(each.startswith(f"{name}-") for each in ids)
        assert len(set(ids)) == len(ids)
        assert set(re.findall(r'(?:href="|url\()#([\w-]+)', text)) == set(ids)


def test_the_width_is_the_page_s_and_the_ink_its_text_colour(drawn: dict[str, str]) -> None:
    for text in drawn.values():
        root = ET.fromstring(text)
        assert root.get("viewBox", "").startswith("0 0 360 ")
        assert (root.get("width"), root.get("height"), root.get("role")) == ("100%", None, "img")
        assert root.get("aria-label")
        assert INK not in text
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


def test_a_name_is_shown_as_it_is() -> None:
    judged = judged_comparison(3)
    baseline, first, *others = judged.variants
    odd = replace(judged, variants=(baseline, replace(first, name=NAME), *others))
    text = draw(odd)["seeds"]
    words = [each.text for each in ET.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert '<b>&x  id="y" $z$ #010203' in words

import re
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
from judged_comparison import judged_comparison

from yolox_attn.report.figures import draw
from yolox_attn.report.figures.style import INK

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

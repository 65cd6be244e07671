"""A Comparison as one HTML file: nothing is fetched, by rule of its own content policy."""

import base64
import hashlib
import re
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.layout import placed
from yolox_attn.report.sentences import facts, headline, scale, verdict_sentences, warnings
from yolox_attn.stats.verdict import Word

LINKED = ("seeds", "noise", "exploratory", "built", "plan", "provenance", "notes")
FIRST_SCREEN = ("verdicts", "settling")  # sections that the page shows in a form of its own
MINUS = re.compile(r"(?<![\w.)\]-])-(?=\.?\d)")
LOOKS = {  # word -> its look
    Word.HELPS.value: "helps",
    Word.HURTS.value: "hurts",
    Word.NO_DIFFERENCE.value: "none",
    Word.CANNOT_TELL.value: "open",
}


def as_html(comparison: Comparison, figures: Mapping[str, str]) -> str:
    """Return the whole report as one page: verdicts first, then all that they rest on.

    Args:
        comparison: to be shown.
        figures: name -> SVG, from `figures.draw`.
    """
    templates = Environment(
        loader=PackageLoader("yolox_attn.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["minus"] = true_minus
    script = templates.get_template("report.js.j2").render()
    sections = placed(comparison)
    blocks = [
        (place, section)
        for place, section in sections
        if place.anchor not in FIRST_SCREEN and (section.parts or place.figure in figures)
    ]
    return templates.get_template("report.html.j2").render(
        comparison=comparison,
        headline=headline(comparison),
        warnings=warnings(comparison),
        facts=facts(comparison),
        scale=scale(comparison),
        verdicts=verdict_sentences(comparison),
        looks=LOOKS,
        settling=next(section for place, section in sections if place.anchor == "settling"),
        figures={name: Markup(text) for name, text in figures.items()},
        blocks=blocks,
        links=[(p.anchor, section.title) for p, section in blocks if p.anchor in LINKED],
        breakable=Markup("_<wbr>"),  # a name may go on in the next line after it
        see_below=Markup('<a href="#missing">see below</a>'),
        script=Markup(script),
        script_hash=_hash(script),
    )


def true_minus(text: str) -> str:
    """Return the text with a minus sign before each negative number, not a hyphen."""
    return MINUS.sub("\N{MINUS SIGN}", text)


def _hash(script: str) -> str:
    """Return what a content policy calls this one script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()

"""A Comparison as one HTML file: nothing is fetched, by rule of its own content policy."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from yolox_attn.report.comparison import Comparison, Sentence
from yolox_attn.report.format import Bullets, Code, Grid, Part, Section
from yolox_attn.report.layout import Place, placed
from yolox_attn.report.sentences import facts, headline, scale, warnings
from yolox_attn.stats.verdict import Word

FIRST_SCREEN = ("verdicts", "settling")  # sections that the page shows in a form of its own
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
    script = templates.get_template("report.js.j2").render()
    sections = placed(comparison)
    below = [
        _block(place, section)
        for place, section in sections
        if place.anchor not in FIRST_SCREEN and (section.parts or place.figure in figures)
    ]
    settling = next(section for place, section in sections if place.anchor == "settling")
    return templates.get_template("report.html.j2").render(
        comparison=comparison,
        headline=headline(comparison),
        warnings=warnings(comparison),
        facts=facts(comparison),
        scale=scale(comparison),
        verdicts=_verdicts(comparison),
        settling=[_part(each) for each in settling.parts],
        figures={name: Markup(text) for name, text in figures.items()},
        blocks=below,
        breakable=Markup("_<wbr>"),  # a name may go on in the next line after it
        script=Markup(script),
        script_hash=_hash(script),
    )


def _verdicts(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the verdicts, blocks first; variants that could not be judged come last."""
    if comparison.terms is None:
        return []
    judged = [
        {
            "word": found.word,
            "look": LOOKS[found.word],
            "sentence": variant.sentence,
            "control": variant.role == "control",
        }
        for variant, found in comparison.judged()
    ]
    return judged + [
        {
            "word": "not judged",
            "look": "open",
            "sentence": Sentence(f"{each.name} is not judged", "the notes say why"),
            "control": each.role == "control",
        }
        for each in comparison.unjudged()
    ]


def sort_values(cells: Sequence[str]) -> list[float | None]:
    """Return the number each cell of a column sorts by; None for all if one of them is text."""
    values = [getattr(cell, "value", None) for cell in cells]
    words = [cell for cell, value in zip(cells, values, strict=True) if value is None]
    return values if {*words} <= {"", "-", "unknown"} else [None] * len(cells)


def look_of(cell: str) -> str | None:
    """Return the look of a cell that holds a verdict's word."""
    return LOOKS.get(cell.removeprefix("control: "))


def _hash(script: str) -> str:
    """Return what a content policy calls this one script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _block(place: Place, section: Section) -> dict[str, Any]:
    return {
        "title": section.title,
        "anchor": place.anchor,
        "figure": place.figure,
        "folded": place.folded,
        "half": place.half,
        "parts": [_part(each) for each in section.parts],
    }


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Grid):
        return _table(part)
    if isinstance(part, Bullets):
        return {"kind": "list", "items": list(part.items)}
    if isinstance(part, Code):
        return {"kind": "code", "text": "\n".join(part.lines)}
    return {"kind": "text", "text": part}


def _table(grid: Grid) -> dict[str, Any]:
    """Return heads with their alignment, and rows of cells with the number they sort by."""
    right = [letter == "r" for letter in grid.align]
    columns = [sort_values(cells) for cells in zip(*grid.rows, strict=True)]
    rows = [
        [
            {"text": cell, "value": value, "look": look_of(cell), "right": side}
            for cell, value, side in zip(cells, values, right, strict=True)
        ]
        for cells, values in zip(grid.rows, zip(*columns, strict=True), strict=True)
    ]
    heads = [{"text": head, "right": side} for head, side in zip(grid.headers, right, strict=True)]
    return {"kind": "table", "heads": heads, "rows": rows}

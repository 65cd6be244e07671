"""A Comparison as one HTML file: nothing is fetched, by rule of its own content policy."""

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from yolox_attn.report import findings, opening, page
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.document import Bullets, Code, Grid, Part
from yolox_attn.report.figures import draw

NUMBER = re.compile(r"[(<±]*([-+]?(?:\d[\d,]*)?\.?\d+)(?:[^\d]*?\b(min|h)\b)?")
SECONDS = {"min": 60.0, "h": 3600.0}


def as_html(comparison: Comparison) -> str:
    """Return the whole report as one page: verdicts first, then all that they rest on."""
    templates = Environment(
        loader=PackageLoader("yolox_attn.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = {name: Markup(text) for name, text in draw(comparison).items()}
    script = templates.get_template("report.js.j2").render()
    return templates.get_template("report.html.j2").render(
        comparison=comparison,
        headline=opening.headline(comparison),
        interim=findings.interim(comparison),
        facts=opening.facts(comparison),
        scale=findings.scale(comparison),
        verdicts=opening.verdict_lines(comparison),
        settling=[_part(each) for each in findings.settling(comparison).parts],
        figures=figures,
        blocks=[_block(each) for each in page.shown(page.blocks(comparison), figures)],
        breakable=Markup("_<wbr>"),  # a name may go on in the next line after it
        script=Markup(script),
        script_hash=_hash(script),
    )


def sort_values(cells: Sequence[str]) -> list[float | None]:
    """Return the number each cell of a column sorts by; None for all if one of them is text.

    >>> sort_values(["95 s", "2.0 min", "-"])
    [95.0, 120.0, None]
    """
    found: list[float | None] = []
    for cell in cells:
        hit = NUMBER.match(cell)
        if hit is None and cell not in ("", "-", "unknown"):
            return [None] * len(cells)
        number = None if hit is None else float(hit[1].replace(",", ""))
        unit = SECONDS.get(hit[2] or "", 1.0) if hit else 1.0
        below = 1e-9 if cell.startswith("<") else 0.0
        found.append(None if number is None else number * unit - below)
    return found


def kind_of(cell: str) -> str | None:
    """Return the look of a cell that holds a verdict's word."""
    return opening.KINDS.get(cell.removeprefix("control: "))


def _hash(script: str) -> str:
    """Return what a content policy calls this one script."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _block(block: page.Block) -> dict[str, Any]:
    return {
        "title": block.section.title,
        "anchor": block.anchor,
        "figure": block.figure,
        "folded": block.folded,
        "half": block.half,
        "parts": [_part(each) for each in block.section.parts],
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
    letters = grid.align.ljust(len(grid.headers), grid.align[-1])
    columns = [sort_values(cells) for cells in zip(*grid.rows, strict=True)]
    rows = [
        [
            {"text": cell, "value": value, "kind": kind_of(cell), "right": letter == "r"}
            for cell, value, letter in zip(cells, values, letters, strict=False)
        ]
        for cells, values in zip(grid.rows, zip(*columns, strict=True), strict=True)
    ]
    heads = [
        {"text": head, "right": letter == "r"}
        for head, letter in zip(grid.headers, letters, strict=False)
    ]
    return {"kind": "table", "heads": heads, "rows": rows}

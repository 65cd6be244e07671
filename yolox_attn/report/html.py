"""A Comparison as one HTML file: nothing is fetched, by rule of its own content policy."""

import base64
import hashlib
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from yolox_attn.report import findings, page
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.document import Bullets, Code, Grid, Part
from yolox_attn.report.figures import draw


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
        headline=page.headline(comparison),
        facts=page.facts(comparison),
        scale=findings.scale(comparison),
        verdicts=page.verdict_lines(comparison),
        settling=[_part(each) for each in findings.settling(comparison).parts],
        figures=figures,
        blocks=[_block(each) for each in page.shown(page.blocks(comparison), figures)],
        breakable=Markup("_<wbr>"),  # a name may go on in the next line after it
        script=Markup(script),
        script_hash=_hash(script),
    )


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
    columns = [page.sort_values(cells) for cells in zip(*grid.rows, strict=True)]
    rows = [
        [
            {"text": cell, "value": value, "kind": page.kind_of(cell), "right": letter == "r"}
            for cell, value, letter in zip(cells, values, letters, strict=False)
        ]
        for cells, values in zip(grid.rows, zip(*columns, strict=True), strict=True)
    ]
    heads = [
        {"text": head, "right": letter == "r"}
        for head, letter in zip(grid.headers, letters, strict=False)
    ]
    return {"kind": "table", "heads": heads, "rows": rows}

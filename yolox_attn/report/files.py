"""A Comparison on disk: comparison.json (fractions, complete), and what people read (points)."""

import dataclasses
import json
from pathlib import Path

from yolox_attn.errors import InputError
from yolox_attn.report.model import Comparison
from yolox_attn.report.restore import restore
from yolox_attn.report.tables import as_csv, as_markdown
from yolox_attn.runs import write_text

SCHEMA = 2
NAME = "comparison"
FIGURES = "figures"  # the folder of the drawings
DRAWINGS = ("intervals", "seeds", "latency", "curves", "classes")


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write comparison.md, .csv, .tex, .json, .html and figures/*.svg; return their paths.

    A drawing of an earlier comparison that this one has nothing for is removed.
    """
    # Here, and not above: who only reads a comparison needs neither matplotlib nor jinja2.
    from yolox_attn.report.figures import draw
    from yolox_attn.report.html import as_html
    from yolox_attn.report.latex import as_latex

    values = {"schema": SCHEMA, **dataclasses.asdict(comparison)}
    texts = {
        f"{NAME}.md": as_markdown(comparison),
        f"{NAME}.csv": as_csv(comparison),
        f"{NAME}.tex": as_latex(comparison),
        f"{NAME}.json": json.dumps(values, indent=2, allow_nan=False) + "\n",
        f"{NAME}.html": as_html(comparison),
    }
    drawn = draw(comparison)
    texts |= {f"{FIGURES}/{name}.svg": text for name, text in drawn.items()}
    for name, text in texts.items():
        write_text(folder / name, text)
    for name in DRAWINGS:
        if name not in drawn:
            (folder / FIGURES / f"{name}.svg").unlink(missing_ok=True)
    return [folder / name for name in texts]


def read_comparison(path: Path) -> Comparison:
    """Return the Comparison that `path`, a comparison.json, holds.

    Raises:
        InputError: the file cannot be read or is of another schema.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    schema = values.pop("schema", None) if isinstance(values, dict) else None
    if schema != SCHEMA:
        raise InputError(
            f"{path}: not a comparison of schema {SCHEMA} (it says {schema!r}); compare the runs "
            "again"
        )
    try:
        comparison: Comparison = restore(Comparison, values)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole comparison: {error}") from error
    return comparison

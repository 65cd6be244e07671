"""A Comparison for a terminal, as Markdown and as CSV; AP in points (0-100) in all of them."""

import shutil
from collections.abc import Callable, Sequence

from yolox_attn.report import details, findings, origins
from yolox_attn.report.cells import NONE, Columns, cost_columns, plain_columns
from yolox_attn.report.comparison import Comparison
from yolox_attn.report.document import Grid, Section, escape, table, to_markdown, to_text
from yolox_attn.report.sheet import as_csv

__all__ = ["as_csv", "as_markdown", "as_text"]

Maker = Callable[[Comparison], Section]
SHORT: tuple[Maker, ...] = (  # what a terminal shows: the first things first
    findings.verdicts,
    findings.settling,
    findings.main_table,
    findings.seeds,
    findings.noise,
    findings.floor,
    origins.dropped,
    origins.notes,
)
WHOLE: tuple[Maker, ...] = (
    findings.verdicts,
    findings.settling,
    findings.main_table,
    findings.seeds,
    findings.noise,
    findings.floor,
    details.controls,
    details.secondary,
    details.exploratory,
    details.built,
    details.cost,
    origins.dropped,
    origins.plan,
    origins.surroundings,
    origins.commands,
    origins.notes,
)


def as_text(comparison: Comparison) -> str:
    """Return the verdicts and what they rest on, for a terminal; the plain table without them."""
    if comparison.terms is None:
        return _plain(comparison, "simple", "")
    return to_text(_made(comparison, SHORT), shutil.get_terminal_size().columns)


def as_markdown(comparison: Comparison) -> str:
    """Return the whole report in GitHub's Markdown; the plain table where nothing was judged."""
    if comparison.terms is None:
        return _plain(comparison, "pipe", "- ") + "\n"
    alone = len(comparison.variants) == 1
    title = f"{'Noise of' if alone else 'Comparison with'} {comparison.baseline}"
    return to_markdown(title, _made(comparison, WHOLE))


def _made(comparison: Comparison, makers: Sequence[Maker]) -> list[Section]:
    """Make the sections; a baseline alone has no verdict, and its noise comes first."""
    alone = len(comparison.variants) == 1
    order = sorted(makers, key=lambda make: make is not findings.floor) if alone else makers
    return [make(comparison) for make in order]


def _plain(comparison: Comparison, style: str, bullet: str) -> str:
    """The table with its caption and notes."""
    columns = _columns(comparison)
    show = escape if style == "pipe" else str
    rows = [[show(cell(variant)) for cell in columns.values()] for variant in comparison.variants]
    notes = "\n".join(bullet + note for note in comparison.notes)
    parts = (table(Grid(list(columns), rows), style), _caption(comparison), notes)
    return "\n\n".join(part for part in parts if part)


def _caption(comparison: Comparison) -> str:
    several = any(len(variant.runs) > 1 for variant in comparison.variants)
    images = "" if comparison.val_images is None else f" on {comparison.val_images} images"
    size = comparison.test_size
    counted = "" if size is None else f"; GFLOPs at {size[0]}x{size[1]}, 2 a multiply-add"
    return (
        f"AP in points (0-100) of the latest checkpoint{images}"
        f"{', mean ± standard deviation over runs' if several else ''}; "
        f"diff: AP minus that of {comparison.baseline}{counted}."
    )


def _columns(comparison: Comparison) -> Columns:
    """Every figure, also one that nobody has; of the costs those that somebody has."""
    costs = cost_columns(comparison)
    return {
        head: show
        for head, show in plain_columns(comparison).items()
        if head not in costs or any(show(variant) != NONE for variant in comparison.variants)
    }

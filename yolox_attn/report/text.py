"""A Comparison for a terminal and as GitHub's Markdown."""

import re
import shutil
import textwrap
from collections.abc import Iterable

from tabulate import tabulate

from yolox_attn.report.comparison import Comparison, cleaned
from yolox_attn.report.format import Bullets, Code, Grid, Part, Section
from yolox_attn.report.layout import placed

PROSE = 110  # columns; longer lines are hard to read on the widest terminal
LEAST = 80  # columns that every terminal is taken to have
GAP = 2  # columns between two cells
# Markdown's own characters; a _ inside a word is none, and names are full of them.
SPECIAL = re.compile(r"[\\`*\[\]|~$#]|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_])")


def as_text(comparison: Comparison) -> str:
    """Return the verdicts and what they rest on, for a terminal.

    A study without any verdict also shows its plan and the commands that go on with it.
    """
    comparison = cleaned(comparison)
    unjudged_study = comparison.plan is not None and not comparison.judged()
    more = ("plan", "commands") if unjudged_study else ()
    sections = [
        section for place, section in placed(comparison) if place.terminal or place.anchor in more
    ]
    return to_text(sections)


def as_markdown(comparison: Comparison) -> str:
    """Return the whole report in GitHub's Markdown."""
    title = f"{'Noise of' if comparison.alone else 'Comparison with'} {comparison.baseline}"
    return to_markdown(title, [section for _, section in placed(comparison)])


def to_text(sections: Iterable[Section], width: int | None = None) -> str:
    """Return the sections for a terminal of `width` columns; a table too wide for it is folded.

    By default it is as wide as the terminal there is.
    """
    width = max(width or shutil.get_terminal_size().columns, LEAST)
    blocks = []
    for section in sections:
        if section.parts:
            parts = [_text(part, width) for part in section.parts]
            parts[0] = f"{section.title}\n{'=' * len(section.title)}\n{parts[0]}"
            blocks.append("\n\n".join(parts))
    return "\n\n".join(blocks)


def to_markdown(title: str, sections: Iterable[Section]) -> str:
    """Return the sections in GitHub's Markdown, special characters escaped."""
    blocks = [f"# {escape(title)}"]
    for section in sections:
        if section.parts:
            blocks += [f"## {escape(section.title)}", *map(_markdown, section.parts)]
    return "\n\n".join(blocks) + "\n"


def escape(text: str) -> str:
    """Return `text` so that Markdown shows it as it is, also in the cell of a table."""
    return SPECIAL.sub(lambda hit: "\\" + hit[0], text)


def _text(part: Part, width: int) -> str:
    if isinstance(part, Grid):
        return "\n\n".join(map(_aligned, _fold(part, width)))
    if isinstance(part, Code):
        return "\n".join(f"  {line}" for line in part.lines)
    if isinstance(part, Bullets):
        return "\n".join(_wrap(item, width, "- ") for item in part.items)
    return _wrap(part, width)


def _markdown(part: Part) -> str:
    if isinstance(part, Grid):
        alignment = ["right" if letter == "r" else "left" for letter in part.align]
        rows = [[escape(cell) for cell in row] for row in part.rows]
        heads = [*map(escape, part.headers)]
        return tabulate(rows, heads, "pipe", colalign=alignment, disable_numparse=True)
    if isinstance(part, Code):
        return "\n".join(["```", *part.lines, "```"])
    if isinstance(part, Bullets):
        return "\n".join(f"- {escape(item)}" for item in part.items)
    return escape(part)


def _wrap(text: str, width: int, mark: str = "") -> str:
    return textwrap.fill(
        text,
        min(width, PROSE),
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _aligned(grid: Grid) -> str:
    """Return the grid in columns as narrow as their cells."""
    widths, align = _widths(grid), grid.align
    lines = [grid.headers, ["-" * each for each in widths], *grid.rows]
    return "\n".join(
        (" " * GAP)
        .join(
            cell.rjust(width) if letter == "r" else cell.ljust(width)
            for cell, width, letter in zip(line, widths, align, strict=True)
        )
        .rstrip()
        for line in lines
    )


def _widths(grid: Grid) -> list[int]:
    return [max(map(len, column)) for column in zip(grid.headers, *grid.rows, strict=True)]


def _fold(grid: Grid, width: int) -> list[Grid]:
    """Split a grid into grids that fit the width, each with the first column."""
    widths = _widths(grid)
    groups: list[list[int]] = [[0]]
    for place in range(1, len(widths)):
        taken = sum(widths[each] + GAP for each in groups[-1])
        if taken + widths[place] > width and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(place)
    return [
        Grid(
            [grid.headers[each] for each in group],
            [[row[each] for each in group] for row in grid.rows],
        )
        for group in groups
    ]

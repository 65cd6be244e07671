"""Sections of prose, lists and tables, as a terminal shows them and as GitHub's Markdown."""

import re
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tabulate import tabulate

PROSE = 110  # columns; longer lines are hard to read on the widest terminal
LEAST = 80  # columns that every terminal is taken to have
GAP = 2  # columns between two cells
# Markdown's own characters; a _ inside a word is none, and names are full of them.
SPECIAL = re.compile(r"[\\`*\[\]|~$#]|<(?=[A-Za-z/!?])|(?<![^\W_])_|_(?![^\W_])")


@dataclass(frozen=True)
class Grid:
    """A table; `align` has a letter a column, l or r, and the last of them holds for the rest."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]
    align: str = "lr"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Code:
    """Lines to be copied as they are."""

    lines: Sequence[str]


Part = str | Bullets | Grid | Code


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it; one without parts is not shown."""

    title: str
    parts: Sequence[Part]


def to_text(sections: Iterable[Section], width: int) -> str:
    """Return the sections for a terminal of `width` columns; a table too wide for it is folded."""
    width = max(width, LEAST)
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
    return SPECIAL.sub(lambda found: "\\" + found[0], text)


def table(grid: Grid, style: str) -> str:
    """Return the grid in one of tabulate's styles."""
    alignment = ["left" if letter == "l" else "right" for letter in _letters(grid)]
    return tabulate(
        grid.rows, grid.headers, tablefmt=style, colalign=alignment, disable_numparse=True
    )


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
        rows = [[escape(cell) for cell in row] for row in part.rows]
        return table(replace(part, headers=[*map(escape, part.headers)], rows=rows), "pipe")
    if isinstance(part, Code):
        return "\n".join(["```", *part.lines, "```"])
    if isinstance(part, Bullets):
        return "\n".join(f"- {escape(item)}" for item in part.items)
    return escape(part)


def _aligned(grid: Grid) -> str:
    """Return the grid in columns as narrow as their cells."""
    widths = _widths(grid)
    lines = [grid.headers, ["-" * each for each in widths], *grid.rows]
    return "\n".join(
        (" " * GAP)
        .join(
            cell.ljust(width) if letter == "l" else cell.rjust(width)
            for cell, width, letter in zip(line, widths, _letters(grid), strict=True)
        )
        .rstrip()
        for line in lines
    )


def _widths(grid: Grid) -> list[int]:
    return [max(map(len, column)) for column in zip(grid.headers, *grid.rows, strict=True)]


def _letters(grid: Grid) -> str:
    return grid.align.ljust(len(grid.headers), grid.align[-1])[: len(grid.headers)]


def _wrap(text: str, width: int, mark: str = "") -> str:
    return textwrap.fill(
        text,
        min(width, PROSE),
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
        break_long_words=False,
        break_on_hyphens=False,
    )


def _fold(grid: Grid, width: int) -> list[Grid]:
    """Split a grid into grids that fit the width, each with the first column."""
    widths = _widths(grid)
    groups: list[list[int]] = [[0]]
    for place in range(1, len(widths)):
        taken = sum(widths[each] + GAP for each in groups[-1])
        if taken + widths[place] > width and len(groups[-1]) > 1:
            groups.append([0])
        groups[-1].append(place)
    letters = _letters(grid)
    return [
        Grid(
            [grid.headers[each] for each in group],
            [[row[each] for each in group] for row in grid.rows],
            "".join(letters[each] for each in group),
        )
        for group in groups
    ]

"""A Comparison as LaTeX tables of the package booktabs, and nothing else in the preamble."""

import re
from collections.abc import Sequence

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.details import explored
from yolox_attn.report.format import (
    NAME,
    NONE,
    Cell,
    Grid,
    cost_columns,
    filled,
    main_columns,
    signed,
    whole,
)
from yolox_attn.report.sections import caption
from yolox_attn.report.sentences import UNPLANNED
from yolox_attn.stats.judge import LEAST_IMAGES
from yolox_attn.stats.verdict import Exploratory

SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",  # of the default fonts, which have other signs in these three places
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    **{sign: f"\\{sign}" for sign in "_%&#${}"},
}
ANY = re.compile("|".join(map(re.escape, SPECIAL)))
MINUS = re.compile(r"(?<![\w.\-])-(?=[.\d])")  # before a number that it belongs to
RANGE = re.compile(r"(?<=\d)-(?=[.\d])")
UNIT = re.compile(r"(?<=\d) (?=\\%)")  # between a number and its per cent sign


def as_latex(comparison: Comparison) -> str:
    """Return the table of results, that of the cost, and one of the classes if any were compared.

    Each fits the width of a page of two columns. The first line is a comment with the plan's hash.
    """
    results = filled(main_columns(comparison), comparison.variants)
    texts = [_first_line(comparison)]
    texts.append(_table(results, _caption(comparison, results.headers), "main"))
    cost = filled(NAME | cost_columns(comparison), comparison.variants)
    if len(cost.headers) > 1:
        texts.append(_table(cost, _inline(caption(comparison, cost.headers)), "cost"))
    if rows := [_class_row(row, comparison.alpha) for row in explored(comparison, "class")]:
        names = [variant.name for variant, _ in comparison.judged()]
        grid = Grid(["class", "images", *names], rows)
        texts.append(_table(grid, _caption_of_classes(comparison), "classes"))
    return "\n\n".join(texts) + "\n"


def escape(text: str) -> str:
    """Return `text` so that LaTeX shows it as it is."""
    return ANY.sub(lambda hit: SPECIAL[hit[0]], text)


def number(text: str) -> str:
    """Return a cell's text, escaped, with real minus signs and en dashes between numbers."""
    return RANGE.sub("--", MINUS.sub("$-$", escape(text)))


def _first_line(comparison: Comparison) -> str:
    plan = comparison.plan
    if comparison.terms is None:
        return "% Nothing was judged: differences without their noise."
    if plan is None:
        return f"% {UNPLANNED}"
    file = " ".join(plan.file.split())  # a line break would end the comment
    return f"% Plan: {file}, SHA-256 {plan.hash}"


def _table(grid: Grid, text: str, label: str) -> str:
    align = grid.align
    lines = [
        r"\begin{table*}",  # over both columns of a page that has two
        r"\centering\scriptsize\setlength{\tabcolsep}{2.5pt}",
        rf"\caption{{{text}}}",
        rf"\label{{tab:comparison-{label}}}",
        rf"\begin{{tabular}}{{{align}}}",
        r"\toprule",
        _line(grid.headers, align),
        r"\midrule",
        *(_line(row, align) for row in grid.rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table*}",
    ]
    return "\n".join(lines)


def _line(cells: Sequence[str], align: str) -> str:
    """A row; words are taken as they are, and only numbers get another kind of dash."""
    shown = [
        number(cell) if letter == "r" else escape(cell)
        for cell, letter in zip(cells, align, strict=True)
    ]
    row = " & ".join(UNIT.sub(r"\\,", text) for text in shown)
    guard = "{}" if row.startswith(("[", "*")) else ""  # else the line break above would take it
    return rf"{guard}{row} \\"


def _caption(comparison: Comparison, heads: Sequence[str]) -> str:
    parts = [caption(comparison, heads)]
    if len(comparison.family) > 1:
        parts.append(f"Holm's family: {', '.join(comparison.family)}.")
    if comparison.dropped:
        parts.append(f"Missing: {', '.join(each.title for each in comparison.dropped)}.")
    if comparison.judged() and comparison.plan is None:
        parts.append("Not planned before the runs: exploratory.")
    return _inline(" ".join(parts))


def _inline(text: str) -> str:
    return UNIT.sub(r"\\,", escape(text))


def _class_row(row: Sequence[Exploratory], alpha: float) -> list[str]:
    cells = [row[0].name, whole(row[0].images)]
    for each in row:
        star = "*" if each.p_adjusted is not None and each.p_adjusted < alpha else ""
        shown = each.difference
        cells.append(NONE if shown is None else Cell(signed(shown) + star, shown))
    return cells


def _caption_of_classes(comparison: Comparison) -> str:
    return escape(
        f"Exploratory: differences in AP points by class, variant minus {comparison.baseline}. "
        f"*: p < {comparison.alpha:g}, adjusted by Benjamini and Hochberg over a variant's classes;"
        f" a class on fewer than {LEAST_IMAGES} images has no p value."
    )

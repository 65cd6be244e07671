"""What a report is made of, before any format: sections, tables, and cells in AP points.

A cell is the text of a number and keeps the number, for whoever sorts or aligns by it.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.stats.verdict import MIN_SEEDS, Ends, Judgement
from yolox_attn.stats.weighted_ap import METRICS

DIGITS = {"AP": 2}  # the metric that is judged; 1 for the others


class Cell(str):
    """The text of a cell, and the number that it shows if it shows one."""

    value: float | None

    def __new__(cls, text: str, value: float | None = None) -> "Cell":
        cell = super().__new__(cls, text)
        cell.value = value
        return cell


NONE = Cell("-")  # a number that does not exist; the baseline's cells of what is judged are empty
Columns = dict[str, Callable[[Variant], str]]


@dataclass(frozen=True)
class Grid:
    """A table."""

    headers: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def align(self) -> str:
        """A letter a column: r for numbers, l for words."""
        columns = zip(*self.rows, strict=True)
        numbers = [any(getattr(cell, "value", None) is not None for cell in c) for c in columns]
        return "".join("r" if each else "l" for each in numbers) or "l" * len(self.headers)


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


def points(value: float) -> str:
    """A difference in AP points with its sign, two decimals; more where they would hide it.

    >>> points(0.5), points(-0.004), points(0.0)
    ('+0.50', '-0.004', '0.00')
    """
    if value == 0:
        return "0.00"
    if abs(value) >= 0.005:
        return f"{value:+.2f}"
    if abs(value) < 1e-6:
        return "+0.000001" if value > 0 else "-0.000001"
    return f"{value:+.{-math.floor(math.log10(abs(value)))}f}"


def main_columns(comparison: Comparison) -> Columns:
    """Return header -> cell of a judged comparison's main table, also those that stay empty."""
    columns: Columns = {
        "variant": lambda variant: variant.name,
        "runs": runs,
        "AP": lambda variant: mean(variant, "AP"),
        "diff": difference,
        f"{confidence(comparison)} interval": of_judgement(lambda found: span(found.interval)),
        "Holm p": of_judgement(holm_p),
        "seeds won": of_judgement(seeds_won),
    }
    if comparison.terms is not None:
        columns["verdict"] = verdict
    return columns | cost_columns(comparison)


def plain_columns(comparison: Comparison) -> Columns:
    """Return the columns of what was not judged: every metric, and the difference in AP."""
    columns: Columns = {
        "variant": lambda variant: variant.name,
        "runs": lambda variant: Cell(str(len(variant.runs)), len(variant.runs)),
    }
    for key in METRICS:
        columns[key] = lambda variant, key=key: mean(variant, key)  # type: ignore[misc]
        if key == "AP":
            columns["diff"] = difference
    return columns | cost_columns(comparison)


def cost_columns(comparison: Comparison) -> Columns:
    """Return the columns of what a variant costs at inference."""
    columns: Columns = {"params (M)": parameters, "GFLOPs": gflops}
    if any(in_training(each) != gflops(each) for each in comparison.variants):
        columns["in training"] = in_training
    return columns | {"latency (ms)": latency}


def filled(columns: Mapping[str, Callable[[Variant], str]], variants: Iterable[Variant]) -> Grid:
    """Return a row a variant, without the columns in which nothing stands."""
    rows = [{head: show(variant) for head, show in columns.items()} for variant in variants]
    heads = [head for head in columns if any(row[head] not in ("", NONE) for row in rows)]
    return Grid(heads, [[row[head] for head in heads] for row in rows])


def confidence(comparison: Comparison) -> str:
    """The level of the intervals: "95 %"."""
    return f"{100 - 100 * comparison.alpha:g} %"


def mean(variant: Variant, key: str) -> str:
    """Mean over the runs, with their standard deviation: "40.12 ± 0.45"."""
    value, sd, digits = variant.mean[key], variant.sd[key], DIGITS.get(key, 1)
    if value is None:
        return NONE
    spread = "" if sd is None else f" ± {100 * sd:.{digits}f}"
    return Cell(f"{100 * value:.{digits}f}{spread}", value)


def difference(variant: Variant) -> str:
    """The judged difference in points; the one of all runs where nothing was judged."""
    if variant.judgement is not None:
        return signed(variant.judgement.difference)
    return "" if variant.difference is None else signed(variant.difference.metrics["AP"])


def signed(fraction: float | None) -> str:
    """A difference in points, with its sign."""
    return NONE if fraction is None else Cell(points(100 * fraction), fraction)


def span(ends: Ends | None) -> str:
    """An interval in points: "+0.31 to +1.20"."""
    return NONE if ends is None else Cell(f"{signed(ends[0])} to {signed(ends[1])}", ends[0])


def size(fraction: float | None, sign: str = "") -> str:
    """A spread in points behind `sign`; "0.004" where two decimals would say 0."""
    return NONE if fraction is None else Cell(sign + points(100 * fraction).lstrip("+-"), fraction)


def p_text(p: float | None) -> str:
    """A p value with three decimals, "<0.001" below them."""
    if p is None:
        return NONE
    return Cell("<0.001" if p < 0.001 else f"{p:.3f}", p)


def holm_p(found: Judgement) -> str:
    """The adjusted p; a control's own, unadjusted, in brackets; none from too few seeds."""
    if len(found.seeds) < MIN_SEEDS:
        return NONE
    if found.p_holm is None:
        return Cell(f"({p_text(found.p_value)})", found.p_value)
    return p_text(found.p_holm)


def seeds_won(found: Judgement) -> str:
    """P(B > A) in words: "4 of 5 (.28-.99)", "3 of 5, 1 tied (.15-.99)"."""
    ties = f", {found.ties} tied" if found.ties else ""
    lower, upper = (f"{end:.2f}".removeprefix("0") for end in found.probability_interval)
    return Cell(f"{found.wins} of {len(found.seeds)}{ties} ({lower}-{upper})", found.wins)


def verdict(variant: Variant) -> str:
    """The verdict's word, with the role of what is no block under study."""
    if variant.role == "baseline":
        return "baseline"
    word = "not judged" if variant.judgement is None else variant.judgement.word
    return f"control: {word}" if variant.role == "control" else word


def runs(variant: Variant) -> str:
    """How many runs, and how many of them have a partner if not all have."""
    count = len(variant.runs)
    if variant.judgement is None or len(variant.judgement.seeds) == count:
        return Cell(str(count), count)
    return Cell(f"{count} ({len(variant.judgement.seeds)} paired)", count)


def parameters(variant: Variant) -> str:
    """Parameters in millions."""
    number = variant.parameters
    return NONE if number is None else Cell(f"{number / 1e6:.2f}", number)


def gflops(variant: Variant) -> str:
    """GFLOPs of one image at inference."""
    return _two_decimals(variant.gflops)


def in_training(variant: Variant) -> str:
    """The forward pass that is trained; the same as at inference where nobody counted it."""
    dense = variant.gflops_training
    return gflops(variant) if dense is None else _two_decimals(dense)


def _two_decimals(number: float | None) -> str:
    return NONE if number is None else Cell(f"{number:.2f}", number)


def latency(variant: Variant) -> str:
    """Median, and 10th to 90th percentile: "20.1 (19.8-22.0)"."""
    found = variant.latency
    if found is None:
        return NONE
    spread = f"{found.low_ms:.1f}-{found.high_ms:.1f}"
    return Cell(f"{found.median_ms:.1f} ({spread})", found.median_ms)


def of_judgement(show: Callable[[Judgement], str]) -> Callable[[Variant], str]:
    """Show a number of a judgement; nothing for the baseline, a dash for what was not judged."""

    def cell(variant: Variant) -> str:
        if variant.judgement is None:
            return "" if variant.role == "baseline" else NONE
        return show(variant.judgement)

    return cell


def count(number: int | None) -> str:
    """A whole number with commas."""
    return NONE if number is None else Cell(f"{number:,}", number)


def duration(seconds: float) -> str:
    """A time in the unit that suits it: "95 s", "10.3 min", "3.4 h"."""
    if seconds < 100:
        return Cell(f"{seconds:.0f} s", seconds)
    minutes = seconds / 60
    return Cell(f"{minutes:.1f} min" if minutes < 100 else f"{minutes / 60:.1f} h", seconds)

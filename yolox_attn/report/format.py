"""What a report is made of, before any format: sections, tables, and cells in AP points.

A cell is the text of a number and keeps the number, for sorting and alignment.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.stats.verdict import MIN_SEEDS, Ends, Judgement
from yolox_attn.stats.weighted_ap import AP_METRICS


class Cell(str):
    """The text of a cell, and the number that it shows if it shows one."""

    value: float | None

    def __new__(cls, text: str, value: float | None = None) -> "Cell":
        cell = super().__new__(cls, text)
        cell.value = value
        return cell


Columns = dict[str, Callable[[Variant], str]]  # header -> the cell of a variant
NAME: Columns = {"variant": attrgetter("name")}
NONE = Cell("-")  # a number that does not exist; the baseline's cells of what is judged are empty
DIGITS = {"AP": 2}  # the metric that is judged; 1 for the others


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


def main_columns(comparison: Comparison) -> Columns:
    """Return the columns of what was judged, also those that stay empty."""
    interval = (
        "interval at its look" if comparison.looks else f"{confidence(comparison.alpha)} interval"
    )
    columns = _first_columns() | {
        interval: of_judgement(lambda judgement: span(judgement.interval)),
        _p_head(comparison): of_judgement(holm_p),
        "seeds won": of_judgement(seeds_won),
    }
    return columns if comparison.terms is None else columns | {"verdict": verdict}


def _p_head(comparison: Comparison) -> str:
    return "Holm p" if len(comparison.family) > 1 and not comparison.looks else "p"


def plain_columns() -> Columns:
    """Return the columns of what was not judged: every metric, and the difference in AP."""
    return _first_columns() | metric_columns()


def metric_columns() -> Columns:
    """Return a column a metric."""
    return {key: partial(mean, key=key) for key in AP_METRICS}


def cost_columns(comparison: Comparison) -> Columns:
    """Return the columns of what a variant costs at inference."""
    columns: Columns = {
        "params (M)": lambda variant: decimal(variant.parameters, 1e6),
        "GFLOPs": lambda variant: decimal(variant.gflops),
    }
    if any(in_training(each) != decimal(each.gflops) for each in comparison.variants):
        columns["in training"] = in_training
    return columns | {"latency (ms)": latency}


def _first_columns() -> Columns:
    return NAME | {"runs": runs, "AP": partial(mean, key="AP"), "diff": difference}


def of_judgement(show: Callable[[Judgement], str]) -> Callable[[Variant], str]:
    """Show a number of a judgement; nothing for the baseline, a dash for what was not judged."""

    def cell(variant: Variant) -> str:
        if variant.judgement is None:
            return "" if variant.role == "baseline" else NONE
        return show(variant.judgement)

    return cell


def filled(columns: Mapping[str, Callable[[Variant], str]], variants: Iterable[Variant]) -> Grid:
    """Return a row a variant, without the columns in which nothing stands."""
    rows = [{head: show(variant) for head, show in columns.items()} for variant in variants]
    heads = [head for head in columns if any(row[head] not in ("", NONE) for row in rows)]
    return Grid(heads, [[row[head] for head in heads] for row in rows])


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


def runs(variant: Variant) -> str:
    """How many runs, and how many of them have a partner if not all have."""
    count = len(variant.runs)
    if variant.judgement is None or len(variant.judgement.seeds) == count:
        return Cell(str(count), count)
    return Cell(f"{count} ({len(variant.judgement.seeds)} paired)", count)


def holm_p(judgement: Judgement) -> str:
    """The adjusted p; a control's own, unadjusted, in brackets; none from too few seeds."""
    if len(judgement.seeds) < MIN_SEEDS:
        return NONE
    if judgement.p_holm is None:
        return Cell(f"({p_text(judgement.p_value)})", judgement.p_value)
    return p_text(judgement.p_holm)


def seeds_won(judgement: Judgement) -> str:
    """P(B > A) in words: "4 of 5 (.28-.99)", "3 of 5, 1 tied (.15-.99)"."""
    ties = f", {judgement.ties} tied" if judgement.ties else ""
    lower, upper = (f"{end:.2f}".removeprefix("0") for end in judgement.probability_interval)
    return Cell(
        f"{judgement.wins} of {len(judgement.seeds)}{ties} ({lower}-{upper})", judgement.wins
    )


def verdict(variant: Variant) -> str:
    """The verdict's word, with the role of what is no block under study."""
    if variant.role == "baseline":
        return "baseline"
    word = "not judged" if variant.judgement is None else variant.judgement.word
    return f"control: {word}" if variant.role == "control" else word


def in_training(variant: Variant) -> str:
    """GFLOPs of the form that is trained; those at inference where it has none of its own."""
    dense = variant.gflops_training
    return decimal(variant.gflops if dense is None else dense)


def latency(variant: Variant) -> str:
    """Median, and 10th to 90th percentile: "20.1 (19.8-22.0)"."""
    timed = variant.latency
    if timed is None:
        return NONE
    spread = f"{timed.low_ms:.1f}-{timed.high_ms:.1f}"
    return Cell(f"{timed.median_ms:.1f} ({spread})", timed.median_ms)


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
    return NONE if p is None else Cell("<0.001" if p < 0.001 else f"{p:.3f}", p)


def confidence(alpha: float) -> str:
    """The level of intervals made for that error rate: "95 %"."""
    return f"{round(100 - 100 * alpha, 1):g} %"


def decimal(number: float | None, unit: float = 1) -> str:
    """A number with two decimals, counted in `unit`s."""
    return NONE if number is None else Cell(f"{number / unit:.2f}", number)


def whole(number: int | None) -> str:
    """A whole number with commas."""
    return NONE if number is None else Cell(f"{number:,}", number)


def duration(seconds: float) -> str:
    """A time in the unit that suits it: "95 s", "10.3 min", "3.4 h", "3.5 days"."""
    minutes, hours = seconds / 60, seconds / 3600
    if seconds < 100:
        text = f"{seconds:.0f} s"
    elif minutes < 100:
        text = f"{minutes:.1f} min"
    else:
        text = f"{hours:.1f} h" if hours < 72 else f"{hours / 24:.1f} days"
    return Cell(text, seconds)

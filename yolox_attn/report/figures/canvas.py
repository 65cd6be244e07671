"""What all figures share: the sheet, the colours, and marks that do not need them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from yolox_attn.report.comparison import Comparison, Variant

WIDTH = 360.0  # points: on a phone about 1:1, so that no text shrinks
MARGIN = 8.0  # points, left and right of the axes
TOP = 8.0
TEXT, SMALL = 11.0, 10.0  # points
CHARACTER = 6.2  # points, of an average one at size TEXT

INK = "#010203"  # stands for the page's own text colour; nothing else may use it
BLUE, ORANGE, GREY = "#1f7bc4", "#d4600a", "#808487"  # 3:1 and more on white and on near black
HUES = (BLUE, ORANGE, "#0c9270", "#a862b8", "#a57c10", "#c8506e", "#5f7fd8", "#6f8f2a")
MARKS = "os^Dvp<"  # one fewer than hues, so that pairs repeat late

LOOK: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": SMALL,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,  # as in the text around it
    "font.family": ["DejaVu Sans"],  # to measure with; the page's own is shown
    "font.size": TEXT,
    "hatch.linewidth": 0.8,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "yolox_attn",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollars
    "xtick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.color": INK,
    "ytick.labelsize": SMALL,
}


@dataclass(frozen=True)
class Style:
    """How one variant is drawn wherever several share the axes."""

    colour: str
    marker: str
    dashes: Literal["-", "--", ":"]


def sheet(height: float, *, left: float = MARGIN, bottom: float = 40.0) -> tuple[Figure, Axes]:
    """Return a figure and its axes, `height` points high; y runs down in points, as text does."""
    total = height + bottom + TOP
    figure = Figure(figsize=(WIDTH / 72, total / 72))
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / WIDTH, bottom / total, (WIDTH - left - MARGIN) / WIDTH, height / total)
    )
    axes.set_ylim(height, 0)
    return figure, axes


def rows_only(axes: Axes) -> None:
    """Leave the y axis to rows that carry their own titles."""
    axes.set_yticks([])
    axes.grid(visible=True, axis="x", color=INK, alpha=0.1, linewidth=0.6)
    axes.set_axisbelow(True)


def signed_ticks(axes: Axes) -> None:
    """Give the ticks of an axis of differences their sign: "-1", "0", "+0.5"."""
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:+.6g}" if abs(x) > 1e-9 else "0")


def styles(variants: Sequence[Variant], baseline: str) -> dict[str, Style]:
    """Return name -> style: ink for the baseline, hues and marks in turn for the others."""
    others = [variant.name for variant in variants if variant.name != baseline]
    found = {
        name: Style(
            HUES[place % len(HUES)],
            MARKS[place % len(MARKS)],
            "-" if place < len(HUES) else "--",
        )
        for place, name in enumerate(others)
    }
    return {baseline: Style(INK, "o", ":"), **found}


def legend(figure: Figure, looks: Mapping[str, Style], *, line: bool = False) -> None:
    """Put the names and their marks below the axes, in two columns; with `line` their dashes."""
    handles = [
        Line2D([], [], color=each.colour, marker=each.marker, linestyle=each.dashes if line else "")
        for each in looks.values()
    ]
    figure.legend(
        handles,
        [short(name, 26) for name in looks],
        loc="lower left",
        ncols=2,
        bbox_to_anchor=(0, 0),
        borderaxespad=0.2,
        columnspacing=1.2,
    )


def legend_height(entries: int) -> float:
    """Return the points that `legend` needs."""
    return 10 + 15.5 * ((entries + 1) // 2)


def short(text: str, most: int) -> str:
    """Return `text` on one line, of at most `most` characters, the middle left out.

    >>> short("yolox_nano_coordinate", 11)
    'yolox…inate'
    """
    line = "".join(each if each.isprintable() else " " for each in text)
    if len(line) <= most:
        return line
    head = (most - 1) // 2
    return f"{line[:head]}…{line[len(line) - (most - 1 - head) :]}"


def points(fraction: float) -> float:
    """Return a fraction in AP points."""
    return 100 * fraction


def spread(values: Sequence[float], *, room: float = 0.06) -> tuple[float, float]:
    """Return limits that hold all `values` with some room around them."""
    low, high = min(values), max(values)
    margin = room * (high - low) or 0.5
    return low - margin, high + margin


def baseline_of(comparison: Comparison) -> Variant:
    """Return the variant that all others are held against."""
    return next(each for each in comparison.variants if each.name == comparison.baseline)

"""Paired dots: the AP of baseline and variant from the same seed, joined."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.style import (
    BLUE,
    INK,
    ORANGE,
    SMALL,
    baseline_of,
    points,
    rows_only,
    sheet,
    short,
    spread,
)
from yolox_attn.report.format import points as signed

TITLE = 18.0  # points, of a variant's line of text
FEW = 10  # seeds that each get a number beside their line
Pair = tuple[int, float, float]  # seed, AP points of the baseline, of the variant


def draw_seeds(comparison: Comparison) -> Figure | None:
    """Draw a group of lines a variant; None where no seed is shared."""
    baseline = baseline_of(comparison)
    groups = [(each, _pairs(each, baseline)) for each in comparison.variants]
    groups = [(variant, pairs) for variant, pairs in groups if pairs]
    if not groups:
        return None
    most = max(len(pairs) for _, pairs in groups)
    step = 12.0 if most <= FEW else 6.0
    height = sum(TITLE + step * len(pairs) + 8 for _, pairs in groups)
    figure, axes = sheet(height, left=24 if most <= FEW else 8, bottom=60)
    rows_only(axes)
    values = [value for _, pairs in groups for _, *both in pairs for value in both]
    axes.set_xlim(spread(values))
    y = 0.0
    for variant, pairs in groups:
        y = _group(axes, variant, pairs, (y, step))
    axes.set_xlabel("AP points; a line joins the two runs of a seed")
    _legend(figure)
    return figure


def _pairs(variant: Variant, baseline: Variant) -> list[Pair]:
    if variant.difference is None:
        return []
    ours, theirs = (
        {run.seed: run.metrics["AP"] for run in each.runs} for each in (variant, baseline)
    )
    found = []
    for seed in variant.difference.seeds:
        a, b = theirs[seed], ours[seed]
        if a is not None and b is not None:
            found.append((seed, points(a), points(b)))
    return found


def _group(axes: Axes, variant: Variant, pairs: list[Pair], place: tuple[float, float]) -> float:
    """Draw one variant's lines from `place` (y, step) down; return where the next one begins."""
    y, step = place
    across = axes.get_yaxis_transform()
    gains = [ours - theirs for _, theirs, ours in pairs]
    won = sum(gain > 0 for gain in gains)
    mean = signed(sum(gains) / len(gains))
    axes.text(0, y + 12, short(variant.name, 30), transform=across)
    axes.text(
        1,
        y + 12,
        f"{won} of {len(pairs)} better, mean {mean}",
        transform=across,
        ha="right",
        fontsize=SMALL,
    )
    y += TITLE
    for seed, theirs, ours in pairs:
        y += step
        colour, mark = (BLUE, ">") if ours > theirs else (ORANGE, "<")
        middle = y - step / 2
        axes.plot([theirs, ours], [middle] * 2, color=colour)
        axes.plot(theirs, middle, "o", color=INK, markersize=3.5, markerfacecolor="none")
        axes.plot(ours, middle, mark, color=colour, markersize=5)
        if step > 8:
            axes.text(
                -0.01,
                middle,
                str(seed),
                transform=across,
                ha="right",
                va="center",
                fontsize=SMALL - 1,
                alpha=0.75,
            )
    return y + 8


def _legend(figure: Figure) -> None:
    shapes = [
        Line2D([], [], color=INK, marker="o", markerfacecolor="none", linestyle="", markersize=4),
        Line2D([], [], color=BLUE, marker=">", markersize=5),
        Line2D([], [], color=ORANGE, marker="<", markersize=5),
    ]
    words = ["baseline", "variant better", "variant worse"]
    figure.legend(shapes, words, loc="lower left", ncols=3, borderaxespad=0.2, columnspacing=1.0)

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
    limits,
    new_figure,
    row_title,
    rows_only,
    short,
)
from yolox_attn.report.format import points

TITLE = 18.0  # points, of a variant's line of text
GAP = 8.0  # points, below a variant
FEW = 10  # seeds that each get a number next to their line
Pair = tuple[int, float, float]  # seed, AP points of the baseline, of the variant


def draw_seeds(comparison: Comparison) -> Figure | None:
    """Draw a group of lines a variant; None where no seed is shared."""
    baseline, *others = comparison.variants
    groups = [(each.name, pairs) for each in others if (pairs := _pairs(each, baseline))]
    if not groups:
        return None
    most = max(len(pairs) for _, pairs in groups)
    step = 12.0 if most <= FEW else 6.0
    height = sum(TITLE + step * len(pairs) + GAP for _, pairs in groups)
    figure, axes = new_figure(height, left=24 if most <= FEW else 8, bottom=60)
    rows_only(axes)
    axes.set_xlim(limits([ap for _, pairs in groups for _, *both in pairs for ap in both]))
    y = 0.0
    for name, pairs in groups:
        gains = [ours - theirs for _, theirs, ours in pairs]
        won, mean = sum(gain > 0 for gain in gains), points(sum(gains) / len(gains))
        row_title(axes, y + 12, short(name, 30), f"{won} of {len(pairs)} better, mean {mean}")
        y += TITLE
        for pair in pairs:
            _draw(axes, pair, y + step / 2, numbered=most <= FEW)
            y += step
        y += GAP
    axes.set_xlabel("AP points; a line joins the two runs of a seed")
    _legend(figure)
    return figure


def _pairs(variant: Variant, baseline: Variant) -> list[Pair]:
    ours, theirs = (
        {run.seed: run.metrics["AP"] for run in each.runs} for each in (variant, baseline)
    )
    return [
        (seed, 100 * a, 100 * b)
        for seed in (variant.difference.seeds if variant.difference else ())
        if (a := theirs[seed]) is not None and (b := ours[seed]) is not None
    ]


def _draw(axes: Axes, pair: Pair, y: float, *, numbered: bool) -> None:
    seed, theirs, ours = pair
    colour, mark = (BLUE, ">") if ours > theirs else (ORANGE, "<")
    axes.plot([theirs, ours], [y] * 2, color=colour)
    axes.plot(theirs, y, "o", color=INK, markersize=3.5, markerfacecolor="none")
    axes.plot(ours, y, mark, color=colour, markersize=5)
    if numbered:
        text = axes.text(-0.01, y, str(seed), transform=axes.get_yaxis_transform(), alpha=0.75)
        text.set(ha="right", va="center", fontsize=SMALL - 1)


def _legend(figure: Figure) -> None:
    shapes = [
        Line2D([], [], color=INK, marker="o", markerfacecolor="none", linestyle="", markersize=4),
        Line2D([], [], color=BLUE, marker=">", markersize=5),
        Line2D([], [], color=ORANGE, marker="<", markersize=5),
    ]
    words = ["baseline", "variant better", "variant worse"]
    figure.legend(shapes, words, loc="lower left", ncols=3, borderaxespad=0.2, columnspacing=1.0)

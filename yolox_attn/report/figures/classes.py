"""Differences class by class: where an effect might lie, never whether there is one."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.style import (
    CHARACTER,
    INK,
    SMALL,
    Style,
    legend,
    legend_height,
    points,
    rows_only,
    sheet,
    short,
    signed_ticks,
    styles,
)
from yolox_attn.stats.verdict import Exploratory

MOST = 20  # classes; beyond that only the largest differences
STEP = 7.0  # points, of one variant's line
TITLE = 16.0  # points, of a class
Classes = dict[str, list[tuple[str, Exploratory]]]  # class -> (variant, its difference) each


def draw_classes(comparison: Comparison) -> Figure | None:
    """Draw a group a class, a line a variant; None where no class has a difference."""
    classes = _by_class(comparison)
    if not classes:
        return None
    shown = dict(sorted(classes.items(), key=_largest, reverse=True)[:MOST])
    judged = {name for rows in shown.values() for name, _ in rows}
    height = sum(TITLE + STEP * len(rows) + 6 for rows in shown.values())
    figure, axes = sheet(height, bottom=54 + legend_height(len(judged)))
    rows_only(axes)
    signed_ticks(axes)
    axes.axvline(0, color=INK, alpha=0.6, linewidth=0.8)
    looks, y = styles(comparison.variants, comparison.baseline), 0.0
    for name, rows in shown.items():
        y = _group(axes, name, [(looks[who], each) for who, each in rows], y)
    most = f"; the {MOST} largest of {len(classes)} classes" if len(classes) > MOST else ""
    axes.set_xlabel(
        f"AP points against {short(comparison.baseline, 30)}\n"
        f"exploratory, no verdicts{most}; hollow: no interval"
    )
    legend(figure, {name: style for name, style in looks.items() if name in judged})
    return figure


def _by_class(comparison: Comparison) -> Classes:
    found: Classes = {}
    for variant, judgement in comparison.judged():
        for each in judgement.exploratory:
            if each.kind == "class" and each.difference is not None:
                found.setdefault(each.name, []).append((variant.name, each))
    return found


def _largest(entry: tuple[str, list[tuple[str, Exploratory]]]) -> float:
    return max(abs(each.difference or 0.0) for _, each in entry[1])


def _group(axes: Axes, name: str, rows: list[tuple[Style, Exploratory]], y: float) -> float:
    """Draw the lines of one class from `y` down; return where the next one begins."""
    across, images = axes.get_yaxis_transform(), rows[0][1].images
    axes.text(0, y + 12, short(name, int(240 / CHARACTER)), transform=across)
    axes.text(1, y + 12, f"{images} images", transform=across, ha="right", fontsize=SMALL)
    y += TITLE
    for style, each in rows:
        y += STEP
        filled = style.colour if each.interval else "none"
        middle = y - STEP / 2
        if each.interval:
            ends = [points(end) for end in each.interval]
            axes.plot(ends, [middle] * 2, color=style.colour, linewidth=1.2)
        axes.plot(
            points(each.difference or 0.0),
            middle,
            style.marker,
            color=style.colour,
            markerfacecolor=filled,
        )
    return y + 6

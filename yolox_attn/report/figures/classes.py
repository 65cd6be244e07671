"""Differences class by class: where an effect might lie, never whether there is one."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.style import (
    CHARACTER,
    INK,
    Style,
    legend,
    legend_height,
    new_figure,
    row_title,
    rows_only,
    short,
    signed_ticks,
    styles,
)
from yolox_attn.stats.verdict import Exploratory

MOST = 20  # classes; beyond that only the largest differences
STEP = 7.0  # points, of one variant's line
TITLE = 16.0  # points, of a class
GAP = 6.0  # points, below a class
Found = list[tuple[str, Exploratory, float]]  # variant, what was found of a class, its difference


def draw_classes(comparison: Comparison) -> Figure | None:
    """Draw a group a class, a line a variant; None where no class has a difference."""
    classes = _by_class(comparison)
    if not classes:
        return None
    shown = dict(sorted(classes.items(), key=_largest, reverse=True)[:MOST])
    judged = {name for rows in shown.values() for name, *_ in rows}
    height = sum(TITLE + STEP * len(rows) + GAP for rows in shown.values())
    figure, axes = new_figure(height, bottom=54 + legend_height(len(judged)))
    rows_only(axes)
    signed_ticks(axes)
    axes.axvline(0, color=INK, alpha=0.6, linewidth=0.8)
    looks, y = styles(comparison), 0.0
    for name, rows in shown.items():
        row_title(axes, y + 12, short(name, int(240 / CHARACTER)), f"{rows[0][1].images} images")
        y += TITLE
        for variant, each, difference in rows:
            _draw(axes, looks[variant], each, difference, y + STEP / 2)
            y += STEP
        y += GAP
    most = f"; the {MOST} largest of {len(classes)} classes" if len(classes) > MOST else ""
    axes.set_xlabel(
        f"AP points against {short(comparison.baseline, 30)}\n"
        f"exploratory, no verdicts{most}; hollow: no interval"
    )
    legend(figure, {name: style for name, style in looks.items() if name in judged})
    return figure


def _by_class(comparison: Comparison) -> dict[str, Found]:
    classes: dict[str, Found] = {}
    for variant, judgement in comparison.judged():
        for each in judgement.exploratory:
            if each.kind == "class" and each.difference is not None:
                classes.setdefault(each.name, []).append((variant.name, each, each.difference))
    return classes


def _largest(entry: tuple[str, Found]) -> float:
    return max(abs(difference) for *_, difference in entry[1])


def _draw(axes: Axes, style: Style, each: Exploratory, difference: float, y: float) -> None:
    if each.interval:
        ends = [100 * end for end in each.interval]
        axes.plot(ends, [y] * 2, color=style.colour, linewidth=1.2)
    filled = style.colour if each.interval else "none"
    axes.plot(100 * difference, y, style.marker, color=style.colour, markerfacecolor=filled)

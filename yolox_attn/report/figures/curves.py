"""Learning curves: AP of each evaluation during training, a thin line a seed and their mean."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.style import legend, legend_height, new_figure, styles, value_axes

Row = tuple[int, list[float]]  # epoch, then AP of each seed


def draw_curves(comparison: Comparison) -> Figure | None:
    """Draw a line a seed, and their mean, a variant; None where no run was evaluated twice."""
    curves = {each.name: _rows(each) for each in comparison.variants}
    curves = {name: rows for name, rows in curves.items() if len(rows) > 1}
    if not curves:
        return None
    figure, axes = new_figure(200, left=38, bottom=40 + legend_height(len(curves)))
    value_axes(axes)
    looks = styles(comparison)
    for name, rows in reversed(curves.items()):  # the baseline last: on top
        epochs, values = zip(*rows, strict=True)
        style = looks[name]
        axes.plot(epochs, values, color=style.colour, alpha=0.4, linewidth=0.6)
        (line,) = axes.plot(epochs, [sum(row) / len(row) for row in values], color=style.colour)
        line.set(linestyle=style.dashes, marker=style.marker, markevery=[-1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("AP points")
    axes.set_xlabel("epoch; thick: mean over the seeds, thin: each seed")
    legend(figure, {name: looks[name] for name in curves}, line=True)
    return figure


def _rows(variant: Variant) -> list[Row]:
    """Return a row for each epoch that every run with a curve was evaluated after."""
    curves = [dict(run.curve) for run in variant.runs if len(run.curve) > 1]
    if not curves:
        return []
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    return [(epoch, [100 * curve[epoch] for curve in curves]) for epoch in shared]

"""Learning curves: AP of each evaluation during training, all seeds of a variant in one band."""

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.style import legend, legend_height, new_figure, styles, value_axes

Row = tuple[int, float, float, float]  # epoch, then least, mean and greatest AP over the seeds


def draw_curves(comparison: Comparison) -> Figure | None:
    """Draw a line and a band a variant; None where no run was evaluated twice."""
    curves = {each.name: _band(each) for each in comparison.variants}
    curves = {name: band for name, band in curves.items() if len(band) > 1}
    if not curves:
        return None
    figure, axes = new_figure(200, left=38, bottom=40 + legend_height(len(curves)))
    value_axes(axes)
    looks = styles(comparison)
    for name, band in reversed(curves.items()):  # the baseline last: on top
        epochs, low, mean, high = zip(*band, strict=True)
        style = looks[name]
        axes.fill_between(epochs, low, high, color=style.colour, alpha=0.15, linewidth=0)
        (line,) = axes.plot(epochs, mean, color=style.colour)
        line.set(linestyle=style.dashes, marker=style.marker, markevery=[-1])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylabel("AP points")
    axes.set_xlabel("epoch; line: mean over seeds, band: least to greatest")
    legend(figure, {name: looks[name] for name in curves}, line=True)
    return figure


def _band(variant: Variant) -> list[Row]:
    """Return a row for each epoch that every run with a curve was evaluated after."""
    curves = [dict(run.curve) for run in variant.runs if len(run.curve) > 1]
    if not curves:
        return []
    shared = sorted(set.intersection(*(set(curve) for curve in curves)))
    rows = []
    for epoch in shared:
        values = [100 * curve[epoch] for curve in curves]
        rows.append((epoch, min(values), sum(values) / len(values), max(values)))
    return rows

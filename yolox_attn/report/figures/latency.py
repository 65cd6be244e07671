"""AP against latency: what a gain costs at inference."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.style import INK, Style, legend, legend_height, points, sheet, styles


def draw_latency(comparison: Comparison) -> Figure | None:
    """Draw a point a variant, with the spread of both numbers; None where none was timed."""
    timed = [each for each in comparison.variants if each.latency and each.mean["AP"] is not None]
    if not timed:
        return None
    figure, axes = sheet(190, left=46, bottom=40 + legend_height(len(timed)))
    axes.autoscale(axis="y")
    axes.grid(visible=True, color=INK, alpha=0.1, linewidth=0.6)
    looks = styles(comparison.variants, comparison.baseline)
    for variant in timed:
        _point(axes, variant, looks[variant.name])
    axes.set_ylim(*sorted(axes.get_ylim()))
    axes.set_ylabel("AP points, mean ± SD over seeds")
    axes.set_xlabel("milliseconds an image: median, 10th to 90th percentile")
    axes.margins(0.08)
    legend(figure, {each.name: looks[each.name] for each in timed})
    return figure


def _point(axes: Axes, variant: Variant, style: Style) -> None:
    latency, mean, sd = variant.latency, variant.mean["AP"], variant.sd["AP"]
    if latency is None or mean is None:
        return
    middle = latency.median_ms
    axes.errorbar(
        middle,
        points(mean),
        xerr=[[middle - latency.low_ms], [latency.high_ms - middle]],
        yerr=None if sd is None else points(sd),
        fmt=style.marker,
        color=style.colour,
        elinewidth=1.0,
    )

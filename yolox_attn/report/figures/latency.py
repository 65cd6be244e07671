"""AP against latency: what a gain costs at inference."""

from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.style import legend, legend_height, new_figure, styles, value_axes


def draw_latency(comparison: Comparison) -> Figure | None:
    """Draw a point a variant, with the spread of both numbers; None where none was timed."""
    timed = [
        (each, each.latency, 100 * mean)
        for each in comparison.variants
        if each.latency and (mean := each.mean["AP"]) is not None
    ]
    if not timed:
        return None
    figure, axes = new_figure(190, left=46, bottom=40 + legend_height(len(timed)))
    value_axes(axes)
    looks = styles(comparison)
    for variant, latency, mean in timed:
        style, sd, middle = looks[variant.name], variant.sd["AP"], latency.median_ms
        axes.errorbar(
            middle,
            mean,
            xerr=[[middle - latency.low_ms], [latency.high_ms - middle]],
            yerr=None if sd is None else 100 * sd,
            fmt=style.marker,
            color=style.colour,
            elinewidth=1.0,
        )
    axes.set_ylabel("AP points, mean ± SD over seeds")
    axes.set_xlabel("milliseconds an image: median, 10th to 90th percentile")
    axes.margins(x=0.08)
    legend(figure, {each.name: looks[each.name] for each, *_ in timed})
    return figure

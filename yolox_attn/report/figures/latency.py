"""AP against latency: what a gain costs at inference."""

from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.style import legend, legend_height, new_figure, styles, value_axes


def draw_latency(comparison: Comparison) -> Figure | None:
    """Draw a point a variant with its intervals; None where none was timed.

    That of AP is the interval of the difference to the baseline, whose own point has none.
    """
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
        style, middle = looks[variant.name], latency.median_ms
        axes.errorbar(
            middle,
            mean,
            xerr=[[middle - latency.low_ms], [latency.high_ms - middle]],
            yerr=_reach(variant),
            fmt=style.marker,
            color=style.colour,
            elinewidth=1.0,
        )
    axes.set_ylabel("AP points, interval of the difference")
    axes.set_xlabel("milliseconds an image: median, 10th to 90th percentile")
    axes.margins(x=0.08)
    legend(figure, {each.name: looks[each.name] for each, *_ in timed})
    return figure


def _reach(variant: Variant) -> list[list[float]] | None:
    """Return how far the interval of the difference reaches below and above the mean AP."""
    judgement = variant.judgement
    if judgement is None or judgement.interval is None:
        return None
    lower, upper = judgement.interval
    below, above = judgement.difference - lower, upper - judgement.difference
    return [[100 * below], [100 * above]]

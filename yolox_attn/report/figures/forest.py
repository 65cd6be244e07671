"""Forest plot of a block on several data sets, with what they say together."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from yolox_attn.report.figures.style import (
    BLUE,
    INK,
    as_svg,
    limits,
    new_figure,
    own_look,
    row_title,
    rows_only,
    short,
    signed_ticks,
)
from yolox_attn.report.format import span

if TYPE_CHECKING:
    from yolox_attn.report.merge import Merged

ROW = 34.0  # points: a line of text above its interval


def draw_forests(merged: "Sequence[Merged]") -> dict[str, str]:
    """Return forest_1 ... -> SVG of each block that was pooled."""
    with own_look():
        pooled = [each for each in merged if each.pooled is not None]
        return {
            f"forest_{number}": as_svg(
                draw_forest(each), f"forest{number}", f"{each.name} on each data set"
            )
            for number, each in enumerate(pooled, start=1)
        }


def draw_forest(merged: "Merged") -> Figure:
    """Draw a row a data set, then the mean with its interval and the prediction."""
    pooled = merged.pooled
    assert pooled is not None
    figure, axes = new_figure(ROW * (len(merged.results) + 1), bottom=46)
    rows_only(axes)
    signed_ticks(axes)
    values, y = [0.0], 0.0
    for each in merged.results:
        row_title(axes, y + 12, short(each.study, 34), f"{each.seeds} seeds, {each.word}")
        ends = [100 * end for end in each.interval or (each.difference, each.difference)]
        axes.plot(ends, [y + 23] * 2, color=INK, linewidth=1.4)
        axes.plot(100 * each.difference, y + 23, "s", color=INK, markersize=5)
        values += ends
        y += ROW
    row_title(axes, y + 12, "mean of the data sets", span(pooled.interval))
    for interval, width in ((pooled.prediction, 1.0), (pooled.interval, 4.0)):
        if interval is not None:
            ends = [100 * end for end in interval]
            axes.plot(ends, [y + 23] * 2, color=BLUE, linewidth=width, solid_capstyle="butt")
            values += ends
    axes.plot(100 * pooled.effect, y + 23, "D", color=BLUE, markersize=6)
    axes.axvline(0, color=INK, alpha=0.7, linewidth=0.8)
    axes.set_xlim(limits(values))
    axes.set_xlabel(
        f"AP points against each study's baseline: {short(merged.block, 40)}\n"
        "below: thick the 95 % interval of the mean, thin the prediction interval"
    )
    return figure

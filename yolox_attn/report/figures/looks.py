"""The path of a study in stages: difference and repeated interval at each look."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.intervals import LOOKS
from yolox_attn.report.figures.style import (
    INK,
    SMALL,
    limits,
    new_figure,
    row_title,
    rows_only,
    short,
    signed_ticks,
)

TITLE, STEP, GAP = 18.0, 13.0, 8.0  # points: a variant's line of text, a look, below a variant


def draw_looks(comparison: Comparison) -> Figure | None:
    """Draw a line a look of each variant; None for a study of one look."""
    judged, terms = comparison.judged(), comparison.terms
    if not comparison.looks or not judged or terms is None:
        return None
    height = sum(TITLE + STEP * len(judgement.looks) + GAP for _, judgement in judged)
    figure, axes = new_figure(height, left=34, bottom=48)
    rows_only(axes)
    signed_ticks(axes)
    band = Rectangle((-terms.sesoi, 0), 2 * terms.sesoi, height, color=INK, alpha=0.08, linewidth=0)
    axes.add_patch(band)
    y, values = 0.0, [-1.3 * terms.sesoi, 1.3 * terms.sesoi]
    across = axes.get_yaxis_transform()
    for variant, judgement in judged:
        colour, mark = LOOKS[judgement.word]
        row_title(axes, y + 12, short(variant.name, 34), judgement.word)
        y += TITLE
        for look in judgement.looks:
            row = y + STEP / 2
            axes.text(-0.02, row + 3, str(look.seeds), transform=across, ha="right", fontsize=SMALL)
            if look.interval is not None:
                ends = [100 * end for end in look.interval]
                axes.plot(ends, [row, row], color=colour, linewidth=1.4)
                values += ends
            axes.plot(100 * look.difference, row, marker=mark, color=colour, markersize=5)
            y += STEP
        y += GAP
    axes.set_xlim(limits(values))
    axes.set_xlabel(
        f"AP points against {short(comparison.baseline, 34)}; left: seeds a side at the look\n"
        f"shaded: less than {terms.sesoi:g}; each line is the repeated interval of its look"
    )
    return figure

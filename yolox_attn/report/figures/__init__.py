"""The figures of a report, as SVG: read on light and dark pages, and as wide as a phone."""

from collections.abc import Callable

from matplotlib.figure import Figure

from yolox_attn.report.comparison import Comparison
from yolox_attn.report.figures.classes import draw_classes
from yolox_attn.report.figures.curves import draw_curves
from yolox_attn.report.figures.intervals import draw_intervals
from yolox_attn.report.figures.latency import draw_latency
from yolox_attn.report.figures.looks import draw_looks
from yolox_attn.report.figures.seeds import draw_seeds
from yolox_attn.report.figures.style import as_svg, own_look

DRAWINGS: dict[str, tuple[Callable[[Comparison], Figure | None], str]] = {
    "intervals": (draw_intervals, "Difference to the baseline of each variant, with its interval"),
    "looks": (draw_looks, "Difference to the baseline at each look, with its repeated interval"),
    "seeds": (draw_seeds, "AP of baseline and variant, seed by seed"),
    "latency": (draw_latency, "AP against latency"),
    "curves": (draw_curves, "AP during training"),
    "classes": (draw_classes, "Difference to the baseline in each class, exploratory"),
}


def draw(comparison: Comparison) -> dict[str, str]:
    """Return name -> SVG of each figure; without those that have nothing to show.

    Equal input gives equal text.
    """
    with own_look():
        drawn = {name: make(comparison) for name, (make, _) in DRAWINGS.items()}
        return {
            name: as_svg(figure, name, DRAWINGS[name][1])
            for name, figure in drawn.items()
            if figure is not None
        }

"""Forest plot: how large each difference may be, against what is worth having."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.figures.style import (
    BLUE,
    CHARACTER,
    GREY,
    INK,
    MARGIN,
    ORANGE,
    SMALL,
    WIDTH,
    points,
    sheet,
    short,
    signed_ticks,
    spread,
)
from yolox_attn.report.format import points as signed
from yolox_attn.stats.verdict import Judgement, Terms, Word

ROW = 39.0  # points: a line of text above its interval
GAP = 26.0  # points, above the controls
LOOKS = {  # word -> colour and mark: either alone tells them apart
    Word.HELPS.value: (BLUE, "^"),
    Word.HURTS.value: (ORANGE, "v"),
    Word.NO_DIFFERENCE.value: (GREY, "s"),
    Word.CANNOT_TELL.value: (INK, "D"),
}


def draw_intervals(comparison: Comparison) -> Figure | None:
    """Draw one row a variant; None where nothing was judged."""
    judged, terms = comparison.judged(), comparison.terms
    if not judged or terms is None:
        return None
    controls = [variant.role == "control" for variant, _ in judged]
    unknown = any(found.interval is None for _, found in judged)
    gap = GAP if any(controls) else 0.0
    figure, axes = sheet(ROW * len(judged) + gap, bottom=72 + (14 if unknown else 0))
    axes.set_yticks([])
    signed_ticks(axes)
    for place, (variant, judgement) in enumerate(judged):
        y = ROW * place + (gap if variant.role == "control" else 0)
        _track(axes, terms, y + 27)
        _title(axes, variant, judgement, y + 12)
        _interval(axes, judgement, y + 27)
    if gap:
        _divide(axes, ROW * controls.index(True) + gap)
    axes.set_xlim(_limits([judgement for _, judgement in judged], terms))
    _explain(axes, comparison, terms)
    return figure


def _track(axes: Axes, terms: Terms, y: float) -> None:
    """Draw what the interval at `y` is held against: nothing, and what is too small to matter."""
    corner, width = (-terms.sesoi, y - 8), 2 * terms.sesoi
    axes.add_patch(Rectangle(corner, width, 16, color=INK, alpha=0.11, linewidth=0))
    axes.plot([0, 0], [y - 8, y + 8], color=INK, alpha=0.7, linewidth=0.8)


def _title(axes: Axes, variant: Variant, judgement: Judgement, y: float) -> None:
    colour, mark = LOOKS[judgement.word]
    across = axes.get_yaxis_transform()
    verdict = f"{judgement.word}  {signed(points(judgement.difference))}"
    room = int((WIDTH - 2 * MARGIN) / CHARACTER - len(verdict) - 4)
    axes.text(0, y, short(variant.name, max(room, 8)), transform=across)
    axes.text(0.955, y, verdict, transform=across, ha="right")
    axes.plot(0.98, y - 3.5, marker=mark, color=colour, transform=across, markersize=7)


def _interval(axes: Axes, judgement: Judgement, y: float) -> None:
    colour, mark = LOOKS[judgement.word]
    if judgement.interval is None:
        _whole_line(axes, colour, y)
    for ends, width in ((judgement.interval, 1.4), (judgement.narrow, 4.0)):
        if ends is not None:
            low, high = map(points, ends)
            axes.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    axes.plot(points(judgement.difference), y, marker=mark, color=colour, markersize=8)


def _whole_line(axes: Axes, colour: str, y: float) -> None:
    across = axes.get_yaxis_transform()
    axes.plot([0, 1], [y, y], ":", color=colour, transform=across, clip_on=False)
    for x, arrow in ((0, "<"), (1, ">")):
        axes.plot(x, y, arrow, color=colour, transform=across, clip_on=False, markersize=5)


def _divide(axes: Axes, y: float) -> None:
    across = axes.get_yaxis_transform()
    axes.plot([0, 1], [y - 15] * 2, color=INK, alpha=0.3, linewidth=0.6, transform=across)
    axes.text(0, y - 2.5, "controls", transform=across, fontsize=SMALL, alpha=0.75)


def _limits(judgements: list[Judgement], terms: Terms) -> tuple[float, float]:
    values = [-1.3 * terms.sesoi, 1.3 * terms.sesoi]
    for each in judgements:
        ends = (each.difference, *(each.interval or ()), *(each.narrow or ()))
        values += [points(end) for end in ends]
    return spread(values)


def _explain(axes: Axes, comparison: Comparison, terms: Terms) -> None:
    wide, narrow = 100 - 100 * terms.alpha, 100 - 200 * terms.alpha
    across = axes.transAxes
    for x, side, text in ((0, "left", "← worse"), (1, "right", "better →")):
        axes.annotate(
            text,
            (x, 0),
            xycoords=across,
            xytext=(0, -30),
            textcoords="offset points",
            ha=side,
            fontsize=SMALL,
        )
    lines = [
        f"AP points against {short(comparison.baseline, 34)}",
        f"shaded: less than {terms.sesoi:g}; thin {wide:g} %, thick {narrow:g} % interval",
    ]
    if any(found.interval is None for _, found in comparison.judged()):
        lines.append("dotted: the interval is not known")
    axes.set_xlabel("\n".join(lines), labelpad=18)

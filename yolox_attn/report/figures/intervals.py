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
    limits,
    new_figure,
    short,
    signed_ticks,
)
from yolox_attn.report.format import confidence, signed
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Judgement, Word

ROW = 39.0  # points: a line of text above its interval
GAP = 26.0  # points, above the controls
LOOKS = {  # word -> colour and mark: either alone tells them apart
    Word.HELPS.value: (BLUE, "^"),
    Word.HURTS.value: (ORANGE, "v"),
    Word.NO_DIFFERENCE.value: (GREY, "s"),
    Word.CANNOT_TELL.value: (INK, "D"),
}
SIGNS = dict(zip(LOOKS, "▲▼■◆", strict=True))


def draw_intervals(comparison: Comparison) -> Figure | None:
    """Draw one row a variant; None where nothing was judged."""
    judged, terms = comparison.judged(), comparison.terms
    if not judged or terms is None:
        return None
    blocks = sum(variant.role != "control" for variant, _ in judged)
    unknown = any(judgement.interval is None for _, judgement in judged)
    gap = GAP if blocks < len(judged) else 0.0
    words = {judgement.word for _, judgement in judged}
    figure, axes = new_figure(ROW * len(judged) + gap, bottom=86 + (14 if unknown else 0))
    axes.set_yticks([])
    signed_ticks(axes)
    for place, (variant, judgement) in enumerate(judged):
        y = ROW * place + (gap if variant.role == "control" else 0)
        _sesoi(axes, terms, y + 27)
        _title(axes, variant, judgement, y + 12)
        _interval(axes, judgement, y + 27)
    if gap:
        _divide(axes, ROW * blocks + gap)
    axes.set_xlim(_limits([judgement for _, judgement in judged], terms))
    lines = [
        f"AP points against {short(comparison.baseline, 34)}",
        f"shaded: less than {terms.sesoi:g}; thin {confidence(terms.alpha)}, thick"
        f" {confidence(2 * terms.alpha)} interval",
        "   ".join(f"{SIGNS[word]} {word}" for word in LOOKS if word in words),
        *(["dotted: the interval is not known"] if unknown else []),
    ]
    axes.set_xlabel("\n".join(lines), labelpad=18)
    _directions(axes)
    return figure


def _sesoi(axes: Axes, terms: Terms, y: float) -> None:
    """Draw what the interval at `y` is compared with: 0, and what is too small to matter."""
    corner, width = (-terms.sesoi, y - 8), 2 * terms.sesoi
    axes.add_patch(Rectangle(corner, width, 16, color=INK, alpha=0.11, linewidth=0))
    axes.plot([0, 0], [y - 8, y + 8], color=INK, alpha=0.7, linewidth=0.8)


def _title(axes: Axes, variant: Variant, judgement: Judgement, y: float) -> None:
    colour, mark = LOOKS[judgement.word]
    across = axes.get_yaxis_transform()
    difference = str(signed(judgement.difference))
    room = int((WIDTH - 2 * MARGIN) / CHARACTER - len(difference) - 4)
    axes.text(0, y, short(variant.name, max(room, 8)), transform=across)
    axes.text(0.955, y, difference, transform=across, ha="right")
    axes.plot(0.98, y - 3.5, marker=mark, color=colour, transform=across, markersize=7)


def _interval(axes: Axes, judgement: Judgement, y: float) -> None:
    colour, mark = LOOKS[judgement.word]
    if judgement.interval is None:
        _whole_line(axes, colour, y)
    for ends, width in ((judgement.interval, 1.4), (judgement.narrow, 4.0)):
        if ends is not None:
            low, high = (100 * end for end in ends)
            axes.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt")
    axes.plot(100 * judgement.difference, y, marker=mark, color=colour, markersize=8)


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
        values += [100 * end for end in ends]
    return limits(values)


def _directions(axes: Axes) -> None:
    """Write below the axis which way is better."""
    for x, side, text in ((0, "left", "← worse"), (1, "right", "better →")):
        place = axes.annotate(text, (x, 0), (0, -30), "axes fraction", "offset points")
        place.set(ha=side, fontsize=SMALL)

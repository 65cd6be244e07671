"""What all figures share: their size, colours and marks that do not need them, and the SVG."""

import io
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal
from xml.dom import minidom

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from yolox_attn.report.comparison import Comparison

WIDTH = 360.0  # points: on a phone about 1:1, so that no text shrinks
MARGIN = 8.0  # points, left and right of the axes
TOP = 8.0
TEXT, SMALL = 11.0, 10.0  # points
CHARACTER = 6.2  # points, of an average one at size TEXT
INK = "#010203"  # stands for the page's own text colour; nothing else may use it
BLUE, ORANGE, GREY = "#1f7bc4", "#d4600a", "#808487"  # 3:1 and more on white and on near black
HUES = (BLUE, ORANGE, "#0c9270", "#a862b8", "#a57c10", "#c8506e", "#5f7fd8", "#6f8f2a")
MARKS = "os^Dvp<"  # one fewer than hues, so that pairs repeat late
FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"  # of the page
REFERENCE = re.compile(r"(?:url\(#|^#)([\w-]+)")
LOOK: dict[Any, Any] = {
    "axes.edgecolor": INK,
    "axes.facecolor": "none",
    "axes.labelcolor": INK,
    "axes.labelsize": SMALL,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": False,  # as in the text around it
    "font.family": ["DejaVu Sans"],  # to measure with; the page's own is shown
    "font.size": TEXT,
    "hatch.linewidth": 0.8,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.5,
    "lines.markersize": 5,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "yolox_attn",
    "text.color": INK,
    "text.parse_math": False,  # a name may hold dollars
    "xtick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.color": INK,
    "ytick.labelsize": SMALL,
}


@dataclass(frozen=True)
class Style:
    """How one variant is drawn wherever several share the axes."""

    colour: str
    marker: str
    dashes: Literal["-", "--", ":"]


@contextmanager
def own_look() -> Iterator[None]:
    """Draw by `LOOK`, whatever the user has set for other plots."""
    with matplotlib.rc_context(), warnings.catch_warnings():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(LOOK)
        # Text stays text: the reader's own fonts have what the measuring font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield


def new_figure(height: float, *, left: float = MARGIN, bottom: float = 40) -> tuple[Figure, Axes]:
    """Return a figure and its axes, `height` points high; y runs down in points, as text does."""
    total = height + bottom + TOP
    figure = Figure(figsize=(WIDTH / 72, total / 72))
    figure.patch.set_visible(False)
    axes = figure.add_axes(
        (left / WIDTH, bottom / total, (WIDTH - left - MARGIN) / WIDTH, height / total)
    )
    axes.set_ylim(height, 0)
    return figure, axes


def rows_only(axes: Axes) -> None:
    """Leave the y axis to rows that carry their own titles."""
    axes.set_yticks([])
    axes.grid(visible=True, axis="x", color=INK, alpha=0.1, linewidth=0.6)
    axes.set_axisbelow(True)


def signed_ticks(axes: Axes) -> None:
    """Give the ticks of an axis of differences their sign: "-1", "0", "+0.5"."""
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:+.6g}" if abs(x) > 1e-9 else "0")


def row_title(axes: Axes, y: float, name: str, remark: str) -> None:
    """Write a name above the rows that belong to it, and a small remark at the right."""
    across = axes.get_yaxis_transform()
    axes.text(0, y, name, transform=across)
    axes.text(1, y, remark, transform=across, ha="right", fontsize=SMALL)


def value_axes(axes: Axes) -> None:
    """Let the y axis run up, with a grid, as numbers do."""
    axes.set_ylim(0, 1)
    axes.autoscale(axis="y")
    axes.grid(visible=True, color=INK, alpha=0.1, linewidth=0.6)


def styles(comparison: Comparison) -> dict[str, Style]:
    """Return name -> style: ink for the baseline, hues and marks in turn for the others."""
    baseline, *others = (variant.name for variant in comparison.variants)
    looks = {baseline: Style(INK, "o", ":")}
    for place, name in enumerate(others):
        dashes: Literal["-", "--"] = "-" if place < len(HUES) else "--"
        looks[name] = Style(HUES[place % len(HUES)], MARKS[place % len(MARKS)], dashes)
    return looks


def legend(figure: Figure, looks: Mapping[str, Style], *, line: bool = False) -> None:
    """Put the names and their marks below the axes, in two columns; with `line` their dashes."""
    handles = [
        Line2D([], [], color=each.colour, marker=each.marker, linestyle=each.dashes if line else "")
        for each in looks.values()
    ]
    figure.legend(
        handles,
        [short(name, 26) for name in looks],
        loc="lower left",
        ncols=2,
        bbox_to_anchor=(0, 0),
        borderaxespad=0.2,
        columnspacing=1.2,
    )


def legend_height(entries: int) -> float:
    """Return the points that `legend` needs."""
    return 10 + 15.5 * ((entries + 1) // 2)


def short(text: str, most: int) -> str:
    """Return `text` on one line, of at most `most` characters, the middle left out.

    >>> short("yolox_nano_coordinate", 11)
    'yolox…inate'
    """
    line = "".join(each if each.isprintable() else " " for each in text)
    if len(line) <= most:
        return line
    head = (most - 1) // 2
    return f"{line[:head]}…{line[len(line) - (most - 1 - head) :]}"


def limits(values: Sequence[float]) -> tuple[float, float]:
    """Return ends of an axis that hold all `values` with some room around them."""
    low, high = min(values), max(values)
    room = 0.06 * (high - low) or 0.5
    return low - room, high + room


def as_svg(figure: Figure, name: str, title: str) -> str:
    """Return `figure` as one SVG element without a size of its own.

    Args:
        figure: drawn under `LOOK`.
        name: begins all its ids, so that figures in one page do not share any.
        title: what it shows, for those who cannot see it.
    """
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    root: Any = minidom.parseString(text.getvalue()).documentElement
    for element in list(root.getElementsByTagName("*")):
        if element.tagName in ("metadata", "style"):
            element.parentNode.removeChild(element)
        else:
            _adapt(element, name)
    for key in ("width", "height", "version"):
        root.removeAttribute(key)
    _announce(root, title)
    return str(root.toxml()) + "\n"


def _announce(root: Any, title: str) -> None:
    attributes = {
        "role": "img",
        "aria-label": title,
        "width": "100%",
        "fill": "currentColor",
        "stroke-linejoin": "round",
    }
    for key, value in attributes.items():
        root.setAttribute(key, value)


def _adapt(element: Any, name: str) -> None:
    """Give the element's ids and references the prefix, its ink the page's colour and font."""
    for key, value in list(element.attributes.items()):
        if key == "id" and element.parentNode.nodeName != "defs":
            element.removeAttribute(key)  # of a group: nothing refers to it
        elif key == "id":
            element.setAttribute(key, f"{name}-{value}")
        elif key in ("style", "clip-path", "xlink:href"):
            element.setAttribute(key, _adapted(value, name))


def _adapted(value: str, name: str) -> str:
    value = REFERENCE.sub(lambda hit: hit.group().replace("#", f"#{name}-"), value)
    value = re.sub(r"'DejaVu Sans'[^;]*", FONT, value)
    return value.replace(INK, "currentColor")

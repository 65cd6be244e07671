"""A figure as SVG text that can stand in a page beside others, in the page's own text colour."""

import io
import re
from typing import Any
from xml.dom import minidom

from matplotlib.figure import Figure

from yolox_attn.report.figures.canvas import INK

FONT = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif"
REFERENCE = re.compile(r"(?:url\(#|^#)([\w-]+)")


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

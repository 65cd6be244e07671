"""The figures of a report, as SVG: read on light and dark pages, and as wide as a phone."""

from yolox_attn.report.figures.gallery import draw

__all__ = ["draw"]

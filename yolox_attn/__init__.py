"""Attention blocks for YOLOX experiments, and an answer to whether they help."""

__version__ = "0.1.0"

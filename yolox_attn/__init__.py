"""Attention blocks for YOLOX experiments, and an answer to whether they help.

What programs may use: `load_detector`, `Detector`, `Detections`; `load_runs`, `compare`, `Terms`;
`AttentionPAFPN`, `create_attention`, `AttentionExp` (docs/python.md).
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# Imported when they are asked for: torch and YOLOX take seconds.
INTERFACE = {
    "load_detector": "yolox_attn.detection",
    "Detector": "yolox_attn.detection",
    "Detections": "yolox_attn.detection",
    "load_runs": "yolox_attn.report",
    "compare": "yolox_attn.report",
    "Terms": "yolox_attn.stats.terms",
    "AttentionPAFPN": "yolox_attn.models",
    "create_attention": "yolox_attn.blocks",
    "AttentionExp": "yolox_attn.exp",
}


def __getattr__(name: str) -> Any:
    if name in INTERFACE:
        return getattr(import_module(INTERFACE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

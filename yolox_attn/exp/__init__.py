"""Experiments: the base class, the published sizes, and how one is loaded."""

from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.demo import DemoExp
from yolox_attn.exp.loader import load_exp, use_data
from yolox_attn.exp.overrides import apply_overrides
from yolox_attn.exp.sizes import (
    ExtraLargeExp,
    LargeExp,
    MediumExp,
    NanoExp,
    SmallExp,
    TinyExp,
)

__all__ = [
    "AttentionExp",
    "DemoExp",
    "ExtraLargeExp",
    "LargeExp",
    "MediumExp",
    "NanoExp",
    "SmallExp",
    "TinyExp",
    "apply_overrides",
    "load_exp",
    "use_data",
]

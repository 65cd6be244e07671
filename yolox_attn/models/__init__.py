"""The detector's parts that differ from YOLOX's."""

from yolox_attn.models.head import FullPrecisionHead
from yolox_attn.models.identity import IdentityStart
from yolox_attn.models.pafpn import (
    ATTENTION_PREFIX,
    AttendedDarknet,
    AttentionPAFPN,
    level_channels,
)
from yolox_attn.models.placement import LEVELS, Placement, place

__all__ = [
    "ATTENTION_PREFIX",
    "LEVELS",
    "AttendedDarknet",
    "AttentionPAFPN",
    "FullPrecisionHead",
    "IdentityStart",
    "Placement",
    "level_channels",
    "place",
]

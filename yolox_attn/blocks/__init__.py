"""Attention blocks: a feature map in, a map of the same height and width out."""

from yolox_attn.blocks.acmix import ACmix
from yolox_attn.blocks.attnconv import AttnConv
from yolox_attn.blocks.cam import CAM
from yolox_attn.blocks.cbam import CBAM
from yolox_attn.blocks.controls import Placebo, Plain
from yolox_attn.blocks.drconv import DRConv
from yolox_attn.blocks.eca import ECA
from yolox_attn.blocks.factory import ATTENTIONS, CONTROLS, create_attention, known_names
from yolox_attn.blocks.se import SE

__all__ = [
    "ATTENTIONS",
    "CAM",
    "CBAM",
    "CONTROLS",
    "ECA",
    "SE",
    "ACmix",
    "AttnConv",
    "DRConv",
    "Placebo",
    "Plain",
    "create_attention",
    "known_names",
]

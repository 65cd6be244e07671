"""Every block and control of the package, as its tests build it."""

import pytest
import torch
from torch import nn

from yolox_attn.blocks import ATTENTIONS, CONTROLS, create_attention

SIZES = [(1, 1), (2, 2), (3, 3), (7, 13), (15, 15), (20, 20), (25, 25)]
FORMATS = [torch.contiguous_format, torch.channels_last]
NEEDED = {"plain": {"like": "cbam"}}
ALL = [*ATTENTIONS, *CONTROLS]

every_block = pytest.mark.parametrize("name", ALL)
every_trained_block = pytest.mark.parametrize("name", [name for name in ALL if name != "none"])
every_size = pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)


def make(name, channels=16):
    """Build a block from seed 0; a control has left the identity that it starts as."""
    torch.manual_seed(0)
    block = create_attention(name, channels, **NEEDED.get(name, {}))
    if name in CONTROLS:
        for parameter in block.parameters():
            nn.init.normal_(parameter, std=0.5)
    return block


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def distance(a, b):
    return ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()

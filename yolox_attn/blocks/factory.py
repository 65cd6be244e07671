"""The index of the zoo: every attention block by name, and the one function that builds them."""

from collections.abc import Callable
from inspect import signature
from typing import Any

from torch import nn

from yolox_attn.blocks.acmix import ACmix
from yolox_attn.blocks.attnconv import AttnConv
from yolox_attn.blocks.cam import CAM
from yolox_attn.blocks.cbam import CBAM
from yolox_attn.blocks.drconv import DRConv
from yolox_attn.blocks.eca import ECA
from yolox_attn.blocks.gates import require_counts
from yolox_attn.blocks.se import SE


def no_attention(channels: int) -> nn.Module:
    """Return the baseline: it leaves the map alone, and refuses options as every block does."""
    require_counts("none", channels=channels)
    return nn.Identity()


ATTENTIONS: dict[str, Callable[..., nn.Module]] = {
    "none": no_attention,
    "cam": CAM,
    "se": SE,
    "eca": ECA,
    "cbam": CBAM,
    "acmix": ACmix,
    "drconv": DRConv,
    "attnconv": AttnConv,
}


def create_attention(name: str, channels: int, **options: Any) -> nn.Module:
    """Build the block `name` for maps of `channels` channels.

    >>> create_attention("eca", 64, b=3).conv.kernel_size
    (5,)

    Raises:
        ValueError: no such block or option (the message lists what there is), or a value the block
            refuses.
    """
    if name not in ATTENTIONS:
        raise ValueError(f"unknown attention {name!r}; known: {', '.join(ATTENTIONS)}")
    known = list(signature(ATTENTIONS[name]).parameters)[1:]
    if unknown := sorted(options.keys() - set(known)):
        choices = f"it takes: {', '.join(known)}" if known else "it takes none"
        raise ValueError(f"{name} has no option {', '.join(unknown)}; {choices}")
    return ATTENTIONS[name](channels, **options)

"""The index of the zoo: every block and control by name, and the one function that builds them."""

from collections.abc import Callable
from inspect import Parameter, signature
from typing import Any

import torch
from torch import nn

from yolox_attn.blocks.acmix import ACmix
from yolox_attn.blocks.attnconv import AttnConv
from yolox_attn.blocks.cam import CAM
from yolox_attn.blocks.cbam import CBAM
from yolox_attn.blocks.controls import Placebo, Plain
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


def plain_like(channels: int, *, like: str) -> Plain:
    """Return the plain control with as many parameters as the block `like`, as near as can be.

    Its `parameter_count` and `parameters_wanted` show how near: with 256 channels it has exactly
    the 6,144 of cam, but never fewer than 512, and eca has 5.

    Raises:
        ValueError: `like` is no block of the zoo with parameters.
    """
    known = [name for name in ATTENTIONS if name != "none"]
    if like not in known:
        raise ValueError(f"plain: like must be one of {', '.join(known)}; got {like!r}")
    require_counts("plain", channels=channels)
    with torch.device("meta"):  # counted, not drawn
        block = ATTENTIONS[like](channels)
    return Plain(channels, parameters=sum(each.numel() for each in block.parameters()))


CONTROLS: dict[str, Callable[..., nn.Module]] = {"placebo": Placebo, "plain": plain_like}
"""What a study compares its blocks with; see `controls`."""


def create_attention(name: str, channels: int, **options: Any) -> nn.Module:
    """Build the block or control `name` for maps of `channels` channels.

    >>> create_attention("eca", 64, b=3).conv.kernel_size
    (5,)

    Raises:
        ValueError: no such block or option, or an option missing (the message lists what there is),
            or a value the block refuses.
    """
    if name not in ATTENTIONS | CONTROLS:
        raise ValueError(f"unknown attention {name!r}; known: {known_names()}")
    build = (ATTENTIONS | CONTROLS)[name]
    taken = list(signature(build).parameters.values())[1:]
    known = ", ".join(each.name for each in taken)
    if unknown := sorted(options.keys() - {each.name for each in taken}):
        choices = f"it takes: {known}" if known else "it takes none"
        raise ValueError(f"{name} has no option {', '.join(unknown)}; {choices}")
    needed = {each.name for each in taken if each.default is Parameter.empty}
    if missing := sorted(needed - options.keys()):
        raise ValueError(f"{name} needs the option {', '.join(missing)}; it takes: {known}")
    return build(channels, **options)


def known_names() -> str:
    """Return the blocks' and the controls' names, for the message that refuses another."""
    return f"{', '.join(sorted(ATTENTIONS))}; controls: {', '.join(CONTROLS)}"

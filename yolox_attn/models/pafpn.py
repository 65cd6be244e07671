"""YOLOX's neck with attention on the backbone outputs."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn
from yolox.models import YOLOPAFPN
from yolox.models.darknet import CSPDarknet

from yolox_attn.errors import InputError
from yolox_attn.models.placement import INITS, LEVELS, AttentionChoice, place


class AttendedDarknet(CSPDarknet):  # type: ignore[misc]
    """A built CSPDarknet whose outputs pass through attention.

    It adopts the stages of `darknet` instead of drawing new ones: the stock keys keep their names
    and values, and the random stream goes on as if no attention were there. New keys begin with
    `attention.<level>.`.
    """

    def __init__(self, darknet: CSPDarknet, attention: Mapping[str, nn.Module]) -> None:
        nn.Module.__init__(self)
        self.out_features = darknet.out_features
        for name, stage in darknet.named_children():
            self.add_module(name, stage)
        self.attention = nn.ModuleDict(attention)

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        features: dict[str, Tensor] = super().forward(images)  # dark3, dark4, dark5
        for level, block in self.attention.items():
            features[level] = block(features[level])
        return features


class AttentionPAFPN(YOLOPAFPN):  # type: ignore[misc]
    """YOLOPAFPN that applies attention to dark3, dark4 and dark5.

    Args:
        depth, width, in_features, in_channels, depthwise, act: YOLOX's.
        attention: a name of `ATTENTIONS`, a callable `channels -> nn.Module`, or a mapping from
            level to either. "none" is YOLOPAFPN, bit for bit.
        attention_options: the block's options (by level when `attention` is a mapping).
        attention_levels: where a single choice goes.
        attention_init: "published" (the block as its paper has it) or "identity"
            (`IdentityStart`: a pretrained detector starts exactly where it was).

    Shape: (N, 3, H, W) -> three maps of strides 8, 16, 32 with width * in_channels channels.

    Raises:
        InputError: an unknown block, level, option or initialisation.
    """

    def __init__(  # noqa: PLR0913 - YOLOX's arguments in its order, ours behind them
        self,
        depth: float = 1.0,
        width: float = 1.0,
        in_features: Sequence[str] = LEVELS,
        in_channels: Sequence[int] = (256, 512, 1024),
        depthwise: bool = False,  # noqa: FBT001, FBT002 - positional in YOLOX
        act: str = "silu",
        *,
        attention: AttentionChoice = "none",
        attention_options: Mapping[str, Any] | None = None,
        attention_levels: Sequence[str] = LEVELS,
        attention_init: str = "published",
    ) -> None:
        if attention_init not in INITS:
            raise InputError(
                f"unknown attention_init {attention_init!r}; it is {' or '.join(INITS)}"
            )
        placements = place(attention, attention_options, tuple(attention_levels))
        super().__init__(depth, width, in_features, in_channels, depthwise, act)
        channels = level_channels(width, in_channels)
        if placements:
            blocks = {p.level: p.build(channels[p.level], attention_init) for p in placements}
            self.backbone: CSPDarknet = AttendedDarknet(self.backbone, blocks)


def level_channels(width: float, in_channels: Sequence[int]) -> dict[str, int]:
    """Return level -> channels of its map."""
    return {level: int(c * width) for level, c in zip(LEVELS, in_channels, strict=True)}


ATTENTION_PREFIX = "backbone.backbone.attention."
"""What the keys of new tensors begin with in the state of a whole detector."""

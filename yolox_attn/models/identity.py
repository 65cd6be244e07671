"""A block that starts as the identity and can travel to its own form."""

import torch
from torch import Tensor, nn


class IdentityStart(nn.Module):
    """x + gamma * (block(x) - x), gamma per channel, learnable, 0 at the start.

    A pretrained detector starts exactly where it was; gamma = 1 is the bare block. The block is
    always evaluated, also at gamma = 0: gamma's gradient is block(x) - x times the upstream one.

    Shape: (N, C, H, W) -> (N, C, H, W).

    Raises:
        ValueError: the block changes the number of channels, so x cannot be added.
    """

    def __init__(self, block: nn.Module, channels: int) -> None:
        super().__init__()
        if (out_channels := getattr(block, "out_channels", channels)) != channels:
            raise ValueError(f"identity needs {channels} channels out, not {out_channels}")
        self.block = block
        self.gamma = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        gamma = self.gamma.to(x.dtype)[:, None, None]  # (C, 1, 1); autocast would widen the output
        change: Tensor = self.block(x) - x
        return x + gamma * change


def identity_start(block: nn.Module, channels: int) -> nn.Module:
    """Return `block` in an `IdentityStart`, or bare if it says that it starts as the identity.

    It says so by an attribute `starts_as_identity`; within x + gamma * (block(x) - x) neither
    gamma nor the block would ever get a gradient, as block(x) - x = 0 and gamma = 0.
    """
    bare = getattr(block, "starts_as_identity", False)
    return block if bare else IdentityStart(block, channels)

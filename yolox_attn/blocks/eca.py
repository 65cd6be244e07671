"""Efficient Channel Attention: Wang et al., CVPR 2020, https://arxiv.org/abs/1910.03151."""

import math

from torch import Tensor, nn

from yolox_attn.blocks.gates import require_counts, without_autocast
from yolox_attn.blocks.gating import PIXELS, gated, mean


def eca_kernel_size(channels: int, b: float, gamma: float) -> int:
    """The paper's psi(C): |log2 C + b| / gamma cut to a whole number; an even one goes up by 1."""
    size = int(abs(math.log2(channels) + b) / gamma)
    return size if size % 2 else size + 1


class ECA(nn.Module):
    """Gates each channel by a 1-D convolution over its neighbours' means.

    The authors' published networks set the kernel's length k by hand; `gamma=1` with
    `b=k + 0.5 - log2(C)` gives that length, and their checkpoints then load.

    Args:
        b, gamma: the paper's constants in k = |(log2 C + b) / gamma|.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, channels: int, *, b: float = 1, gamma: float = 2) -> None:
        super().__init__()
        require_counts("ECA", channels=channels)
        for argument, value in (("b", b), ("gamma", gamma)):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"ECA: {argument} must be a number, got {value!r}")
        if not math.isfinite(b):
            raise ValueError(f"ECA: b must be finite, got {b}")
        if not 0 < gamma < math.inf:
            raise ValueError(f"ECA: gamma must be finite and above 0, got {gamma}")
        kernel_size = eca_kernel_size(channels, b, gamma)
        self.conv = nn.Conv1d(1, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        with without_autocast(x):
            means = mean(x, *PIXELS).to(self.conv.weight.dtype)
            gates: Tensor = self.conv(means.flatten(1).unsqueeze(1)).sigmoid()  # (N, 1, C)
        return gated(x, gates.transpose(1, 2).unsqueeze(-1))

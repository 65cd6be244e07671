"""Squeeze-and-Excitation: Hu, Shen, Sun, CVPR 2018, https://arxiv.org/abs/1709.01507."""

from typing import Any

from torch import Tensor, nn

from yolox_attn.blocks.gates import reduced_width, require_counts, without_autocast
from yolox_attn.blocks.gating import PIXELS, gated, mean


class SE(nn.Module):
    """Gates each channel by two small linear maps of all channels' means.

    y_c = x_c * sigmoid(W2 relu(W1 s))_c with s the means over the map; no biases, as in the paper.

    Args:
        ratio: the paper's r; the hidden width is C / r, at least 1.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, channels: int, *, ratio: int = 16) -> None:
        super().__init__()
        require_counts("SE", channels=channels, ratio=ratio)
        width = reduced_width(channels, ratio)
        self.fc = nn.Sequential(
            nn.Linear(channels, width, bias=False),
            nn.ReLU(),
            nn.Linear(width, channels, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        with without_autocast(x):
            first: Any = self.fc[0]
            means = mean(x, *PIXELS).to(first.weight.dtype)
            gates: Tensor = self.fc(means.flatten(1))  # (N, C)
        return gated(x, gates[:, :, None, None])

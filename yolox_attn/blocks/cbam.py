"""Convolutional Block Attention: Woo, Park, Lee, Kweon, ECCV 2018, https://arxiv.org/abs/1807.06521."""

import torch
from torch import Tensor, nn

from yolox_attn.blocks.gates import reduced_width, require_counts, require_odd, without_autocast
from yolox_attn.blocks.gating import CHANNELS, PIXELS, gated, highest, mean


class ChannelGate(nn.Module):
    """sigmoid(M(mean) + M(max)) with M(s) = W2 relu(W1 s), over the map.

    W2 is linear without a bias, so it is applied once, to the sum.

    Shape: (N, C, H, W) -> (N, C, 1, 1).
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Conv2d(channels, width, 1, bias=False)
        self.fc2 = nn.Conv2d(width, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        with without_autocast(x):
            pooled = torch.cat((mean(x, *PIXELS), highest(x, *PIXELS)))  # (2N, C, 1, 1)
            hidden: Tensor = self.fc1(pooled.to(self.fc1.weight.dtype)).relu()
            both = hidden.reshape(2, x.shape[0], -1, 1, 1).sum(dim=0)
            gates: Tensor = self.fc2(both).sigmoid()
        return gates


class SpatialGate(nn.Module):
    """Sigmoid of a convolution over the channels' mean and maximum at each pixel.

    Shape: (N, C, H, W) -> (N, 1, H, W).
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(2, 1, kernel_size, padding=kernel_size // 2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        with without_autocast(x):
            pooled = torch.cat((mean(x, *CHANNELS), highest(x, *CHANNELS)), dim=1)
            gates: Tensor = self.conv1(pooled.to(self.conv1.weight.dtype)).sigmoid()
        return gates


class CBAM(nn.Module):
    """Gates the channels, then the pixels of what the first gate let through.

    Args:
        ratio: the paper's r; the hidden width is C / r, at least 1.
        kernel_size: of the spatial gate's convolution, any odd size.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, channels: int, *, ratio: int = 8, kernel_size: int = 7) -> None:
        super().__init__()
        require_counts("CBAM", channels=channels, ratio=ratio)
        require_odd("CBAM", kernel_size=kernel_size)
        self.channelattention = ChannelGate(channels, reduced_width(channels, ratio))
        self.spatialattention = SpatialGate(kernel_size)

    def forward(self, x: Tensor) -> Tensor:
        x = gated(x, self.channelattention(x))
        return gated(x, self.spatialattention(x))

"""Dynamic region-aware convolution: Chen et al., CVPR 2021, https://arxiv.org/abs/2003.12243."""

import torch
from torch import Tensor, nn
from torch.nn import functional


class DRConv(nn.Module):
    """Convolves each pixel with the kernel of the region it belongs to; kernels come from the input.

    Args:
        channels: Channels of the input.
        kernel_size: Odd side k of the generated kernels and of the guide. The default 1 is what
            the paper's networks replace; 3 costs nine times as much.
        region_num: Number of regions R, each with its own kernel.
        out_channels: Channels of the output; None means as many as the input's.

    Shape: (N, channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 1,
        region_num: int = 8,
        out_channels: int | None = None,
    ) -> None:
        super().__init__()
        self.out_channels = channels if out_channels is None else out_channels
        self.region_num = region_num
        options = {
            "channels": channels,
            "out_channels": self.out_channels,
            "region_num": region_num,
        }
        for name, value in options.items():
            if value < 1:
                raise ValueError(f"DRConv needs {name} >= 1, got {value}")
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"DRConv needs an odd kernel_size >= 1, got {kernel_size}")
        regions, units = region_num, region_num**2
        self.conv_kernel = nn.Sequential(
            nn.AdaptiveAvgPool2d(kernel_size),
            nn.Conv2d(channels, units, 1),
            nn.Sigmoid(),
            nn.Conv2d(units, regions * self.out_channels * channels, 1, groups=regions),
        )
        self.conv_guide = nn.Conv2d(channels, regions, kernel_size, padding=kernel_size // 2)
        fan_in = channels * kernel_size**2
        with torch.no_grad():
            for parameter in self.conv_kernel[3].parameters():
                parameter.mul_((4 * regions / ((regions + 4) * fan_in)) ** 0.5)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.conv_guide(x)  # (N, R, H, W)
        choice = scores.argmax(dim=1, keepdim=True)  # the first one on a tie
        kernels = self.conv_kernel(x)  # (N, R * out * in, k, k)
        maps = self.convolve(x, kernels)  # (N, R, out, H, W)
        return self.choose(maps, scores, choice).to(x.dtype)

    def convolve(self, x: Tensor, kernels: Tensor) -> Tensor:
        """Every region's convolution of the whole map, (N, R, out, H, W)."""
        batch, channels, height, width = x.shape
        side = kernels.shape[-1]
        weight = kernels.reshape(-1, channels, side, side)
        maps = functional.conv2d(
            x.reshape(1, -1, height, width), weight, padding=side // 2, groups=batch
        )
        return maps.view(batch, self.region_num, -1, height, width)

    def choose(self, maps: Tensor, scores: Tensor, choice: Tensor) -> Tensor:
        """Each pixel's value from its region; the scores learn through the softmax instead."""
        soft = scores.softmax(dim=1)
        hard = torch.zeros_like(soft).scatter(1, choice, 1.0)
        mask = hard + (soft - soft.detach())
        return (maps * mask.unsqueeze(2)).sum(dim=1)

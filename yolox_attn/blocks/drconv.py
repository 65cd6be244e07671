"""Dynamic region-aware convolution: Chen et al., CVPR 2021, https://arxiv.org/abs/2003.12243."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from yolox_attn.blocks.gates import (
    is_recorded,
    match_input,
    require_counts,
    require_odd,
    without_autocast,
)
from yolox_attn.blocks.regions import RegionConv, pick_straight_through


class BinMeans(nn.Module):
    """Means over size x size bins, which may overlap: adaptive average pooling.

    By slices, since torch's own pooling has no deterministic gradient on CUDA.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        rows, columns = self._bins(x.shape[2]), self._bins(x.shape[3])
        means = [x[:, :, row, column].mean(dim=(2, 3)) for row in rows for column in columns]
        with without_autocast(x):  # whose `stack` refuses the other half type
            return torch.stack(means, dim=-1).view(*x.shape[:2], self.size, self.size)

    def _bins(self, length: int) -> list[slice]:
        size = self.size
        return [slice(u * length // size, -(-(u + 1) * length // size)) for u in range(size)]


class DRConv(nn.Module):
    """Convolves each pixel with its region's kernel; regions and kernels both come from the input.

    The tutorials' form, with one departure: the last layer of the kernel generator starts smaller,
    so that the fresh block's output varies as much as an ordinary convolution's.

    Args:
        channels: Channels of the input.
        kernel_size: Odd side k of the generated kernels and of the guide. The default 1 is what
            the authors' networks replace; 3 takes nine times the products and the memory.
        region_num: Number of regions R, each with its own kernel. Only the chosen one is
            convolved with; the gradient of the choice needs all R, in the backward pass.
        out_channels: Channels of the output; None means as many as the input's.
        padding: None or kernel_size // 2, which keeps the map's size; nothing else is allowed.

    Shape: (N, channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(
        self,
        channels: int,
        *,
        kernel_size: int = 1,
        region_num: int = 8,
        out_channels: int | None = None,
        padding: int | None = None,
    ) -> None:
        super().__init__()
        width = channels if out_channels is None else out_channels
        require_counts("DRConv", channels=channels, out_channels=width, region_num=region_num)
        require_odd("DRConv", kernel_size=kernel_size)
        if padding not in (None, kernel_size // 2):
            raise ValueError(
                f"DRConv: padding must be kernel_size // 2 = {kernel_size // 2}, which keeps the "
                f"map's size, got {padding!r}"
            )
        self.region_num, self.out_channels = region_num, width
        units = region_num**2
        self.conv_kernel = nn.Sequential(
            BinMeans(kernel_size),
            nn.Conv2d(channels, units, 1),
            nn.Sigmoid(),
            nn.Conv2d(units, region_num * width * channels, 1, groups=region_num),
        )
        self.conv_guide = nn.Conv2d(channels, region_num, kernel_size, padding=kernel_size // 2)
        self._shrink_kernels(fan_in=channels * kernel_size**2)

    def _shrink_kernels(self, fan_in: int) -> None:
        """Give the generated kernels the variance 1 / (3 fan_in) of an ordinary convolution's.

        With weights and bias uniform in +-1/sqrt(R) and R units of about 0.5 (sigmoid of little),
        their variance is (R / 4 + 1) / (3 R).
        """
        factor = (4 * self.region_num / ((self.region_num + 4) * fan_in)) ** 0.5
        with torch.no_grad():
            for parameter in self.conv_kernel[3].parameters():
                parameter.mul_(factor)

    def forward(self, x: Tensor) -> Tensor:
        return match_input(self.respond(x, self.conv_guide(x)), x)

    def respond(self, x: Tensor, scores: Tensor) -> Tensor:
        """The block's output where `scores`, (N, R, H, W), choose each pixel's region."""
        weight = self.conv_kernel.get_parameter("3.weight").view(
            self.region_num, -1, self.region_num
        )
        bias = self.conv_kernel.get_parameter("3.bias").view(self.region_num, -1)
        units = self.conv_kernel[2](self.conv_kernel[1](self.conv_kernel[0](x)))
        units = units.flatten(2).unflatten(1, (self.region_num, -1)).transpose(2, 3)
        if is_recorded() or type(x) is not Tensor or x.is_meta:  # fake: no numbers to sort by
            maps = self.convolve_all(x, units, weight, bias)
            return pick_straight_through(maps, scores, scores.argmax(dim=1, keepdim=True))
        values: tuple[Tensor, ...] = x, units, weight, bias
        if torch.is_autocast_enabled(x.device.type):
            dtype = torch.get_autocast_dtype(x.device.type)
            values = tuple(value.to(dtype) for value in values)
        made: Tensor = RegionConv.apply(*values, scores)
        return made

    def elementwise_flops(self, height: int, width: int) -> int:
        """FLOPs of one image that torch's counter misses: products added to those before."""
        _, channels, side, _ = self.conv_guide.weight.shape
        return 2 * (side**2 - 1) * channels * self.out_channels * height * width

    def convolve_all(self, x: Tensor, units: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        """Every region's convolution of the whole map, (N, R, out, H, W), in ordinary operations.

        Shape: as `RegionConv` takes them.
        """
        batch, channels, height, width = x.shape
        side = self.conv_guide.kernel_size[0]
        kernels = weight @ units.transpose(2, 3) + bias[..., None]  # (N, R, out * in, k * k)
        if side == 1:
            maps = kernels.reshape(batch, -1, channels) @ x.flatten(2)
        else:
            kernels = kernels.view(-1, channels, side, side)
            images = x.reshape(1, -1, height, width)
            maps = functional.conv2d(images, kernels, padding=side // 2, groups=batch)
        return maps.view(batch, self.region_num, -1, height, width)

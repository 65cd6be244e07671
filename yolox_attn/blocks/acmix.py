"""ACmix, attention and convolution in one: Pan et al., CVPR 2022, https://arxiv.org/abs/2111.14556."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from yolox_attn.blocks.gates import (
    at_least_one,
    is_recorded,
    match_input,
    require_counts,
    require_flags,
    require_odd,
)
from yolox_attn.blocks.neighbourhood import attend


def shift_kernels(out_channels: int, size: int) -> Tensor:
    """(out, size * size, size, size): s-th input moved by s-th offset."""
    kernels = torch.eye(size * size).view(1, size * size, size, size)
    return kernels.repeat(out_channels, 1, 1, 1)


def coordinates(length: int, like: Tensor) -> Tensor:
    """(length,) numbers from -1 to 1, at equal distances; -1 of a single pixel."""
    if is_recorded():  # linspace would be recorded with this very length
        steps = torch.arange(length, dtype=like.dtype, device=like.device)
        points: Tensor = 2 * steps / at_least_one(length - 1) - 1
        return points
    return torch.linspace(-1, 1, length, dtype=like.dtype, device=like.device)


class ACmix(nn.Module):
    """Mixes window attention and a convolution, both made of the same queries, keys and values.

    Args:
        channels: Channels of the input.
        kernel_att: Side K of the attention window, odd; the borders are mirrored, also on maps
            smaller than the window.
        head: Number of attention heads; must divide the output channels.
        kernel_conv: Side of the convolution path's kernel, odd.
        dep_conv_bias: Gives the convolution path the bias (initially 0) that the published code
            declares and then loses; published checkpoints have none.
        out_channels: Channels of the output; None means as many as the input's.

    Shape: (N, channels, H, W) -> (N, out_channels, H, W).
    """

    def __init__(  # noqa: PLR0913 -- the published names
        self,
        channels: int,
        *,
        kernel_att: int = 7,
        head: int = 4,
        kernel_conv: int = 3,
        dep_conv_bias: bool = False,
        out_channels: int | None = None,
    ) -> None:
        super().__init__()
        out_channels = channels if out_channels is None else out_channels
        require_counts("ACmix", channels=channels, out_channels=out_channels, head=head)
        require_odd("ACmix", kernel_att=kernel_att, kernel_conv=kernel_conv)
        require_flags("ACmix", dep_conv_bias=dep_conv_bias)
        if out_channels % head:
            raise ValueError(
                f"ACmix: out_channels = {out_channels} cannot be split into head = {head} heads"
            )
        self.head, self.kernel_att, self.out_channels = head, kernel_att, out_channels
        width, taps = out_channels // head, kernel_conv**2
        self.rate1 = nn.Parameter(torch.full((1,), 0.5))
        self.rate2 = nn.Parameter(torch.full((1,), 0.5))
        self.conv1 = nn.Conv2d(channels, out_channels, 1)
        self.conv2 = nn.Conv2d(channels, out_channels, 1)
        self.conv3 = nn.Conv2d(channels, out_channels, 1)
        self.conv_p = nn.Conv2d(2, width, 1, bias=False)
        self.fc = nn.Conv2d(3 * head, taps, 1, bias=False)
        self.dep_conv = nn.Conv2d(
            width * taps, out_channels, kernel_conv, groups=width, bias=dep_conv_bias
        )
        with torch.no_grad():
            self.dep_conv.weight.copy_(shift_kernels(out_channels, kernel_conv))
            if self.dep_conv.bias is not None:
                self.dep_conv.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        # In this layout the components of a pixel lie together, as attention takes them.
        pixel_major = x.contiguous(memory_format=torch.channels_last)
        qkv = self.project(pixel_major)  # (N, d * 3 * heads, H, W)
        y = self.rate1.to(qkv.dtype) * self.attend(qkv) + self.convolve(qkv)
        return match_input(y, x)

    def project(self, x: Tensor) -> Tensor:
        """Queries, keys and values as one product, component by component.

        In this order each component's 3 * heads maps are one group of the convolution path.
        """
        convs = (self.conv1, self.conv2, self.conv3)
        weight = torch.cat([conv.weight for conv in convs]).unflatten(0, (3, self.head, -1))
        bias = torch.cat([conv.bias for conv in convs if conv.bias is not None])
        bias = bias.view(3, self.head, -1).permute(2, 0, 1).flatten()
        return functional.conv2d(x, weight.permute(2, 0, 1, 3, 4, 5).flatten(0, 2), bias)

    def attend(self, qkv: Tensor) -> Tensor:
        """The attention path, (N, out, H, W), channels head by head.

        The query's own position feature shifts all of its logits alike and so drops out.
        """
        height, width = qkv.shape[-2:]
        parts = qkv.view(-1, self.dep_conv.groups, 3, self.head, height, width)
        position = self.position_feature(height, width)
        return attend(parts.permute(0, 2, 3, 1, 4, 5), position, self.kernel_att).flatten(1, 2)

    def position_feature(self, height: int, width: int) -> Tensor:
        """conv_p of each pixel's two coordinates in -1..1, (d, H, W), at least in float32."""
        weight = self.conv_p.weight.flatten(1)  # (d, 2): of the horizontal and the vertical one
        weight = weight.to(torch.promote_types(weight.dtype, torch.float32))
        across, down = coordinates(width, weight), coordinates(height, weight)
        return weight[:, :1, None] * across + weight[:, 1:, None] * down[:, None]

    def convolve(self, qkv: Tensor) -> Tensor:
        """The convolution path times rate2, (N, out, H, W), channels component by component.

        fc has no bias and zeros stay zeros, so it is multiplied into dep_conv's kernels.
        """
        groups, taps = self.dep_conv.groups, self.fc.out_channels
        dep = self.dep_conv.weight.unflatten(0, (groups, self.head))
        fused = torch.einsum("iosuv,sm->iomuv", dep, self.fc.weight.view(taps, -1))
        bias = self.dep_conv.bias
        return functional.conv2d(
            qkv,
            self.rate2 * fused.flatten(0, 1),
            None if bias is None else self.rate2 * bias,
            padding=self.dep_conv.kernel_size[0] // 2,
            groups=groups,
        )

    def elementwise_flops(self, height: int, width: int) -> int:
        """FLOPs of one image that torch's counter misses: logits and weighted sums."""
        return 4 * self.kernel_att**2 * self.dep_conv.out_channels * height * width

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        # A bias of the position feature cancels in the softmax: it has no effect and no gradient.
        state_dict.pop(prefix + "conv_p.bias", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

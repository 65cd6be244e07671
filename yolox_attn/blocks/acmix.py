"""ACmix, attention and convolution from shared projections: Pan et al., CVPR 2022, arXiv 2111.14556."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from yolox_attn.blocks.neighbourhood import attend_by_offset


def position_grid(height: int, width: int, like: Tensor) -> Tensor:
    """(2, H, W): each pixel's horizontal, then vertical coordinate in -1..1, as `like` is stored."""
    across = torch.linspace(-1, 1, width, dtype=like.dtype, device=like.device)
    down = torch.linspace(-1, 1, height, dtype=like.dtype, device=like.device)
    return torch.stack([across.expand(height, width), down[:, None].expand(height, width)])


def shift_kernels(out_channels: int, size: int) -> Tensor:
    """(out, size * size, size, size): input s of a group is moved by the s-th offset, then summed."""
    kernels = torch.eye(size * size).view(1, size * size, size, size)
    return kernels.repeat(out_channels, 1, 1, 1)


def drop_position_bias(
    _module: nn.Module, state_dict: dict[str, Any], prefix: str, *_other: object
) -> None:
    """Lets tutorial checkpoints load: conv_p's bias cancels in the softmax and is not kept."""
    state_dict.pop(prefix + "conv_p.bias", None)


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

    def __init__(
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
        check_options(channels, out_channels, kernel_att, head, kernel_conv)
        self.head, self.kernel_att = head, kernel_att
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
        self.register_load_state_dict_pre_hook(drop_position_bias)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.project(x)  # (N, 3, heads, d, H, W)
        y = self.rate1.to(qkv.dtype) * self.attend(qkv) + self.convolve(qkv)
        return y.to(x.dtype)

    def project(self, x: Tensor) -> Tensor:
        """Queries, keys and values as one product, (N, 3, heads, d, H, W)."""
        convs = (self.conv1, self.conv2, self.conv3)
        weight = torch.cat([conv.weight for conv in convs])
        bias = torch.cat([conv.bias for conv in convs if conv.bias is not None])
        return functional.conv2d(x, weight, bias).unflatten(1, (3, self.head, -1))

    def attend(self, qkv: Tensor) -> Tensor:
        """The attention path, (N, out, H, W), channels head by head.

        The query's own position feature shifts all of its logits alike and so drops out.
        """
        q, k, v = qkv.unbind(dim=1)
        grid = position_grid(*qkv.shape[-2:], like=qkv)
        e = torch.einsum("ic,chw->ihw", self.conv_p.weight.flatten(1).to(qkv.dtype), grid)
        return attend_by_offset(q * q.shape[2] ** -0.5, k - e, v, self.kernel_att).flatten(1, 2)

    def convolve(self, qkv: Tensor) -> Tensor:
        """The convolution path times rate2, (N, out, H, W), channels component by component."""
        groups, taps = self.dep_conv.groups, self.fc.out_channels
        dep = self.dep_conv.weight.unflatten(0, (groups, self.head))
        fused = torch.einsum("iosuv,sm->iomuv", dep, self.fc.weight.view(taps, -1))
        bias = self.dep_conv.bias
        maps = qkv.flatten(1, 2).transpose(1, 2).flatten(1, 2)  # (N, d * 3 heads, H, W)
        return functional.conv2d(
            maps,
            self.rate2 * fused.flatten(0, 1),
            None if bias is None else self.rate2 * bias,
            padding=self.dep_conv.kernel_size[0] // 2,
            groups=groups,
        )

    def elementwise_flops(self, height: int, width: int) -> int:
        """FLOPs of one image that torch's counter misses: logits and weighted sums."""
        return 4 * self.kernel_att**2 * self.dep_conv.out_channels * height * width


def check_options(
    channels: int, out_channels: int, kernel_att: int, head: int, kernel_conv: int
) -> None:
    """Refuse what the block cannot be built from."""
    counts = {"channels": channels, "out_channels": out_channels, "head": head}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"ACmix needs {name} >= 1, got {value}")
    for name, value in {"kernel_att": kernel_att, "kernel_conv": kernel_conv}.items():
        if value < 1 or value % 2 == 0:
            raise ValueError(f"ACmix needs an odd {name} >= 1, got {value}")
    if out_channels % head:
        raise ValueError(f"ACmix cannot split out_channels={out_channels} into head={head} heads")

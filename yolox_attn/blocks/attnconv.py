"""AttnConv of CloFormer: Fan, Huang, Guan, He, 2023, https://arxiv.org/abs/2303.17803."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, conv2d, scaled_dot_product_attention, silu

from yolox_attn.blocks.depthwise import depthwise, is_bare
from yolox_attn.blocks.gates import (
    match_input,
    own_gradient,
    require_counts,
    require_flags,
    require_odd,
    runs_plainly,
    under_autocast,
)


def check_split(
    channels: int, num_heads: int, group_split: Sequence[int], kernel_sizes: Sequence[int]
) -> None:
    """Refuse heads that do not divide the channels, or branches that do not add up to the heads.

    Raises:
        ValueError: names the block, the argument and its value.
    """
    if channels % num_heads:
        raise ValueError(
            f"AttnConv: {channels} channels cannot be split into num_heads={num_heads}"
        )
    for argument, values in (("group_split", group_split), ("kernel_sizes", kernel_sizes)):
        if isinstance(values, str) or not isinstance(values, Sequence):
            raise ValueError(f"AttnConv: {argument} must be a list of numbers, got {values!r}")
    if any(type(heads) is not int or heads < 0 for heads in group_split):
        raise ValueError(f"AttnConv: group_split must hold head counts >= 0, got {group_split}")
    if sum(group_split) != num_heads:
        raise ValueError(
            f"AttnConv: group_split must add up to num_heads={num_heads}, got {group_split}"
        )
    if len(kernel_sizes) != len(group_split) - 1:
        raise ValueError(
            "AttnConv: kernel_sizes needs one size for each local branch, "
            f"{len(group_split) - 1} with group_split={group_split}, got {kernel_sizes}"
        )
    for size in kernel_sizes:
        require_odd("AttnConv", kernel_sizes=size)


class ActBlock(nn.Module):
    """Two 1x1 maps of q * k with a SiLU between them, the result times `scale`.

    Shape: (N, M, H, W), (N, M, H, W) -> (N, M, H, W).
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.act_block = nn.Sequential(
            nn.Conv2d(width, width, 1), nn.SiLU(), nn.Conv2d(width, width, 1)
        )

    def forward(self, q: Tensor, k: Tensor, scale: float) -> Tensor:
        first, silu, second = self.act_block
        # Scaling the second map's values is cheaper than scaling the feature map it makes.
        weight, bias = (values * scale for values in second.parameters())
        if runs_plainly(q) or not is_bare(first) or under_autocast(q):
            return conv2d(silu(first(q * k)), weight, bias)
        acted: Tensor = Act.apply(q, k, first.weight, first.bias, weight, bias)
        return acted


class Act(torch.autograd.Function):
    """conv(silu(conv(q * k))) with 1x1 kernels; of the maps between keeps the first one's alone."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, *values: Tensor) -> Tensor:
        first, first_bias, second, second_bias = values
        made = conv2d(q * k, first, first_bias)
        ctx.save_for_backward(q, k, made, first, second)
        return conv2d(silu(made), second, second_bias)

    @staticmethod
    @own_gradient
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        q, k, made, first, second = ctx.saved_tensors
        above, *of_second = _conv_backward(upstream[0], silu(made), second)
        above = torch.ops.aten.silu_backward(above, made)
        above, *of_first = _conv_backward(above, q * k, first)
        return above * k, above.mul_(q), *of_first, *of_second


def _conv_backward(upstream: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of a 1x1 convolution's input, weight and bias."""
    how: dict[str, Any] = {"stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
    how |= {"transposed": False, "output_padding": [0, 0], "output_mask": [True] * 3}
    slopes: tuple[Tensor, Tensor, Tensor] = torch.ops.aten.convolution_backward(
        upstream, x, weight, [len(weight)], **how
    )
    return slopes


class AttnConv(nn.Module):
    """Local branches with a context-aware gate, and one of attention to a pooled map.

    Local: q, k, v through a depthwise convolution; tanh(act(q * k) / sqrt d) * v. Global: attention
    with queries at every pixel, keys and values at the means of window x window pixels; windows cut
    by the border average what they hold. No norm and no residual, as published.

    Args:
        num_heads: of width d = C / num_heads; sets the branches' widths and the scale.
        group_split: heads of each local branch, then of the global one; a branch may have 0.
        kernel_sizes: of the depthwise convolutions, one odd size for each local branch.
        window_size: side of the averaged windows in pixels; 1 attends to every pixel.
        qkv_bias: whether the 1x1 maps in and out of the branches have biases.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(  # noqa: PLR0913 - the published options
        self,
        channels: int,
        *,
        num_heads: int = 8,
        group_split: Sequence[int] = (4, 4),
        kernel_sizes: Sequence[int] = (5,),
        window_size: int = 7,
        qkv_bias: bool = True,
    ) -> None:
        super().__init__()
        require_counts("AttnConv", channels=channels, num_heads=num_heads, window_size=window_size)
        require_flags("AttnConv", qkv_bias=qkv_bias)
        check_split(channels, num_heads, group_split, kernel_sizes)
        self.window_size = window_size
        self.head_width = width = channels // num_heads
        # A branch without heads has no parameters and no place in the lists: positions close up.
        local = [(h * width, k) for h, k in zip(group_split, kernel_sizes, strict=False) if h]
        self.qkvs = nn.ModuleList(nn.Conv2d(channels, 3 * m, 1, bias=qkv_bias) for m, _ in local)
        self.convs = nn.ModuleList(
            nn.Conv2d(3 * m, 3 * m, k, padding=k // 2, groups=3 * m) for m, k in local
        )
        self.act_blocks = nn.ModuleList(ActBlock(m) for m, _ in local)
        self.has_global = group_split[-1] > 0
        if self.has_global:
            m = group_split[-1] * width
            self.global_q = nn.Conv2d(channels, m, 1, bias=qkv_bias)
            self.global_kv = nn.Conv2d(channels, 2 * m, 1, bias=qkv_bias)
        self.proj = nn.Conv2d(channels, channels, 1, bias=qkv_bias)

    def forward(self, x: Tensor) -> Tensor:
        branches = zip(self.qkvs, self.convs, self.act_blocks, strict=True)
        parts = [self.attend_locally(depthwise(conv, qkv(x)), act) for qkv, conv, act in branches]
        if self.has_global:
            parts.append(self.attend_globally(x))
        return match_input(self.proj(torch.cat(parts, dim=1)), x)

    def attend_locally(self, qkv: Tensor, act: nn.Module) -> Tensor:
        """(N, 3M, H, W) -> (N, M, H, W)."""
        q, k, v = qkv.chunk(3, dim=1)
        gates: Tensor = act(q, k, self.head_width**-0.5)
        return gates.tanh() * v

    def attend_globally(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, heads * d, H, W), with the heads of the last branch."""
        pooled = x
        if self.window_size > 1:
            pooled = avg_pool2d(x, self.window_size, ceil_mode=True)
        k, v = self.global_kv(pooled).chunk(2, dim=1)
        attended = scaled_dot_product_attention(
            self.as_tokens(self.global_q(x)), self.as_tokens(k), self.as_tokens(v)
        )  # (N, heads, H * W, d), scale 1 / sqrt d
        return attended.transpose(2, 3).reshape(x.shape[0], -1, *x.shape[2:])

    def as_tokens(self, maps: Tensor) -> Tensor:
        """(N, heads * d, H, W) -> (N, heads, H * W, d), in the order fused attention asks for."""
        heads = maps.shape[1] // self.head_width
        tokens = maps.reshape(maps.shape[0], heads, self.head_width, -1)
        return tokens.transpose(2, 3).contiguous()

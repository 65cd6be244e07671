"""A depthwise convolution whose gradient is fast on a CPU."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d

from yolox_attn.blocks.gates import own_gradient, runs_plainly, under_autocast

GAINING = {torch.float32, torch.bfloat16}  # where torch's own gradient is the slower one
LEAST_SIDE = 5  # of the kernel; for 3x3 torch's own gradient is as fast


def depthwise(conv: nn.Module, x: Tensor) -> Tensor:
    """Return `conv(x)`, of a depthwise convolution of odd side that keeps the map's size.

    oneDNN takes up to ten times as long for the gradient of a depthwise 5x5 kernel as for the
    convolution. The same gradient is a convolution itself: of the padded map with the upstream
    gradient as its kernel, channel by channel. In float32 and bfloat16 on a CPU it is computed so.
    """
    if runs_plainly(x) or not is_bare(conv) or not _gains(conv.weight, x):
        y: Tensor = conv(x)
        return y
    weight, bias = conv.weight, conv.bias
    if under_autocast(x):
        x, weight = x.to(torch.bfloat16), weight.to(torch.bfloat16)
        bias = None if bias is None else bias.to(torch.bfloat16)
    learnt: Tensor = Depthwise.apply(x, weight, bias)
    return learnt


def is_bare(conv: nn.Module) -> bool:
    """Tell whether a call of the module is its convolution and nothing else: without hooks."""
    return type(conv) is nn.Conv2d and not (
        conv._forward_hooks or conv._forward_pre_hooks or conv._backward_hooks
    )


def _gains(weight: Any, x: Tensor) -> bool:
    if x.device.type != "cpu" or weight.shape[2] < LEAST_SIDE or x.numel() == 0:
        return False
    if not under_autocast(x):
        return x.dtype == weight.dtype and x.dtype in GAINING
    return torch.get_autocast_dtype("cpu") == torch.bfloat16 and {x.dtype, weight.dtype} <= GAINING


class Depthwise(torch.autograd.Function):
    """x (N, C, H, W), weight (C, 1, k, k) with k odd, bias (C,) or None -> (N, C, H, W)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return conv2d(x, weight, bias, padding=weight.shape[2] // 2, groups=len(weight))

    @staticmethod
    @own_gradient
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        (x, weight), (above, *_) = ctx.saved_tensors, upstream
        (batch, channels, height, width), side = x.shape, weight.shape[2]
        to_x = to_weight = to_bias = None
        if ctx.needs_input_grad[0]:
            to_x = conv2d(above, weight.flip(2, 3), padding=side // 2, groups=channels)
        if ctx.needs_input_grad[1]:
            # In float32 also of bfloat16 maps, whose convolution with such kernels is slow.
            maps = x.float().transpose(0, 1).reshape(1, -1, height, width)
            kernels = above.float().transpose(0, 1).reshape(-1, 1, height, width)
            taps = conv2d(maps, kernels, padding=side // 2, groups=channels * batch)
            taps = taps.view(channels, batch, side, side).sum(dim=1, keepdim=True)
            to_weight = taps.to(weight.dtype)
        if ctx.needs_input_grad[2]:
            to_bias = above.sum(dim=(0, 2, 3))
        return to_x, to_weight, to_bias

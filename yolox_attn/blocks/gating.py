"""Means, maxima and products of maps that the gates are made of, with lean gradients.

On a CPU the time of a gate is that of its passes over the map, and a pass that writes into fresh
memory takes several times one that writes into memory at hand. torch's own gradients would spread
a mean's gradient over the map before it is added to another, copy the zeros that a maximum's is
scattered into, and make a map for each factor of a product.
"""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.gates import is_recorded, runs_plainly

PIXELS, CHANNELS = (2, 3), (1,)  # axes of (N, C, H, W)
POOLED = (PIXELS, (2,), (3,))  # what torch's pooling can do
FULL = 4  # bytes of a number in full precision


def mean(x: Tensor, *axes: int) -> Tensor:
    """Mean over some axes of (N, C, H, W), which stay with length 1."""
    if runs_plainly(x) or not x.requires_grad:
        return _mean(x, axes)
    means: Tensor = Mean.apply(x, axes)
    return means


def highest(x: Tensor, *axes: int) -> Tensor:
    """Maximum over `PIXELS` or `CHANNELS`, which stay with length 1.

    Where values tie, the gradient goes to the first of them, as a pooling layer sends it.
    """
    if not isinstance(x, Tensor) or is_recorded():
        return _highest(x, axes)[0]
    if not (torch.is_grad_enabled() and x.requires_grad):
        return x.amax(dim=axes, keepdim=True)
    most: Tensor = Highest.apply(x, axes)
    return most


def gated(x: Tensor, *gates: Tensor) -> Tensor:
    """Return x times one or two gates, each axis of which is as long as x's or 1."""
    gates = tuple(gate.to(x.dtype) for gate in gates)
    if runs_plainly(x):
        return _product(x, gates)
    product: Tensor = Gated.apply(x, *gates)
    return product


class Mean(torch.autograd.Function):
    """`mean`; its gradient is a view of what each mean gets."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        ctx.shape, ctx.interleaved = x.shape, interleaved(x)
        ctx.share = 1 / math.prod(x.shape[axis] for axis in axes)
        return _mean(x, axes)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        share = upstream[0] * ctx.share
        if ctx.interleaved:  # or the sum with another gradient would be in another layout
            share = share.contiguous(memory_format=torch.channels_last)
        return share.expand(ctx.shape), None


class Highest(torch.autograd.Function):
    """`highest`; keeps the places of the maxima alone."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, axes: tuple[int, ...]) -> Tensor:
        most, place = _highest(x, axes)
        ctx.shape, ctx.axes, ctx.interleaved = x.shape, axes, interleaved(x)
        ctx.save_for_backward(place)
        return most

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, None]:
        (place,), (above, *_) = ctx.saved_tensors, upstream
        layout = torch.channels_last if ctx.interleaved else torch.contiguous_format
        zeros = torch.empty(
            ctx.shape, dtype=above.dtype, device=above.device, memory_format=layout
        ).zero_()
        if ctx.axes == CHANNELS:
            return zeros.scatter_(1, place, above), None
        flat = zeros.permute(0, 2, 3, 1).flatten(1, 2) if ctx.interleaved else zeros.flatten(2)
        axis = 1 if ctx.interleaved else 2
        flat.scatter_(axis, place.flatten(1).unsqueeze(axis), above.flatten(1).unsqueeze(axis))
        return zeros, None


class Gated(torch.autograd.Function):
    """`gated`; keeps the factors, and makes a gate's gradient in the memory that x's will take."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, *gates: Tensor) -> Tensor:
        ctx.save_for_backward(x, *gates)
        return _product(x, gates)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, ...]:
        x, *gates = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph: in ordinary operations, none in place
            return _differentiable(upstream[0], x, gates)
        slope = upstream[0] * x
        if len(gates) == 1:
            slopes = [_sum(slope, gates[0].shape)]
        else:
            spare, (first, second) = torch.empty_like(slope), gates
            slopes = [_sum(torch.mul(slope, second, out=spare), first.shape)]
            slopes += [_sum(slope.mul_(first), second.shape)]
        torch.mul(upstream[0], gates[0], out=slope)
        for gate in gates[1:]:
            slope.mul_(gate)
        return slope, *slopes


def _product(x: Tensor, gates: Sequence[Tensor]) -> Tensor:
    product = x * gates[0]
    for gate in gates[1:]:
        plain = not isinstance(x, Tensor) or is_recorded()
        product = product * gate if plain else product.mul_(gate)
    return product


def _differentiable(upstream: Tensor, x: Tensor, gates: Sequence[Tensor]) -> tuple[Tensor, ...]:
    factors = (x, *gates)
    slopes = []
    for own in factors:
        slope = upstream
        for other in factors:
            slope = slope if other is own else slope * other
        slopes.append(slope.sum_to_size(own.shape))
    return tuple(slopes)


def _sum(x: Tensor, shape: torch.Size) -> Tensor:
    """Return the sums of (N, C, H, W) over the axes that have length 1 in `shape` and not in x."""
    axes = tuple(axis for axis in range(4) if shape[axis] == 1 != x.shape[axis])
    if not axes:
        return x.clone()  # its memory is used again
    if axes in POOLED:  # the mean is the faster one
        return _mean(x, axes) * math.prod(x.shape[axis] for axis in axes)
    return x.sum(dim=axes, keepdim=True)


def _mean(x: Tensor, axes: tuple[int, ...]) -> Tensor:
    # In channels_last torch's pooling is faster than its mean: of rows or columns ten times, of all
    # pixels in half precision twice, in full half as fast. One axis after the other: its sums run
    # straight on, and err less over fewer values.
    ordinary = not isinstance(x, Tensor) or is_recorded() or axes not in POOLED
    if not ordinary and interleaved(x) and (axes != PIXELS or x.element_size() < FULL):
        for axis in axes:
            x = functional.avg_pool2d(x, [x.shape[axis] if axis == each else 1 for each in PIXELS])
        return x
    return x.mean(dim=axes, keepdim=True)


def _highest(x: Tensor, axes: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Return the maxima and their places: among the channels, or the number of the pixel."""
    if axes == CHANNELS:
        return x.max(dim=1, keepdim=True)
    if isinstance(x, Tensor) and not is_recorded() and interleaved(x):
        most, place = functional.max_pool2d(x, x.shape[2:], return_indices=True)
        return most, place
    most, place = x.flatten(2).max(dim=2)
    return most[:, :, None, None], place[:, :, None, None]


def interleaved(x: Tensor) -> bool:
    """Tell whether the channels of a pixel lie side by side, on a CPU, where that matters."""
    last = x.is_contiguous(memory_format=torch.channels_last)
    return last and not x.is_contiguous() and x.device.type == "cpu"

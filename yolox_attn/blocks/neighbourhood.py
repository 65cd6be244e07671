"""Attention of every pixel over the K x K window around it; borders are mirrored.

Two ways to the same numbers. `attend_by_offset` is a sum over the offsets, in ordinary operations
that any compiler or exporter understands. `attend_by_tile` cuts the map into tiles: all queries of
a tile meet all keys that one of them reaches in one matrix product, and a mask takes away the pairs
further apart than the window. That multiplies about three times as much as needed and is the
fastest form measured (docs/benchmarks.md), because matrix products run near the processor's peak.
Its backward pass keeps the projections only and computes the weights again, tile by tile.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from yolox_attn.blocks.gates import is_recorded
from yolox_attn.blocks.mirror import mirror_pad
from yolox_attn.blocks.tiles import HeadTiles, Tiling, has_small_caches


def attend(qkv: Tensor, position: Tensor, size: int) -> Tensor:
    """Softmax attention over the window of odd side `size`, logits q . (k - position) / sqrt(d).

    Shape: (N, 3, heads, d, H, W), (d, H, W) -> (N, heads, d, H, W).
    """
    if is_recorded():
        return attend_by_offset(qkv, position, size)
    out: Tensor = attend_by_tile(qkv, position, size)
    return out


def attend_by_offset(qkv: Tensor, position: Tensor, size: int) -> Tensor:
    """Do the work of `attend` offset by offset."""
    q, k, v = split(qkv, position)
    height, width, depth = q.shape[2:]
    q, k, v = q * depth**-0.5, mirror_pad(k, size // 2), mirror_pad(v, size // 2)
    corners = [(top, left) for top in range(size) for left in range(size)]
    logits = [(q * k[:, :, i : i + height, j : j + width]).sum(dim=-1) for i, j in corners]
    weights = torch.stack(logits, dim=-1).softmax(dim=-1)  # (N, heads, H, W, K * K)
    out = torch.zeros_like(q)
    for number, (i, j) in enumerate(corners):
        out = out + weights[..., number, None] * v[:, :, i : i + height, j : j + width]
    return out.permute(0, 1, 4, 2, 3).to(qkv.dtype)


def split(qkv: Tensor, position: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Queries, keys less position, values: each (N, heads, H, W, d), at least in float32."""
    exact = torch.promote_types(qkv.dtype, torch.float32)
    q, k, v = qkv.permute(1, 0, 2, 4, 5, 3).to(exact).unbind()
    return q, k - position.to(exact).permute(1, 2, 0), v


# An operator of its own, so that torch sees one step with a shape rule and a gradient. Nothing
# inside it is recorded, neither by autograd nor by torch's FLOP counter, which would count the
# masked pairs as well.
@torch.library.custom_op("yolox_attn::attend_by_tile", mutates_args=())
def attend_by_tile(qkv: Tensor, position: Tensor, size: int) -> Tensor:
    """Do the work of `attend` tile by tile."""
    tiling = Tiling(qkv.shape[-2], qkv.shape[-1], size)
    out = pixel_major(qkv)
    with torch.autocast(qkv.device.type, enabled=False):
        for images in image_groups(qkv):
            heads = HeadTiles(tiling, *split(qkv[images], position))
            out[images] = heads.attend().permute(0, 1, 4, 2, 3)
    return out


@torch.library.custom_op("yolox_attn::attend_by_tile_backward", mutates_args=())
def attend_by_tile_backward(
    upstream: Tensor, qkv: Tensor, position: Tensor, size: int
) -> tuple[Tensor, Tensor]:
    """Gradients of `attend_by_tile` with respect to qkv and position."""
    tiling = Tiling(qkv.shape[-2], qkv.shape[-1], size)
    slope, slope_position = torch.empty_like(qkv), torch.zeros_like(position)
    with torch.autocast(qkv.device.type, enabled=False):
        for images in image_groups(qkv):
            heads = HeadTiles(tiling, *split(qkv[images], position))
            slopes = heads.gradients(upstream[images].permute(0, 1, 3, 4, 2))
            for number, part in enumerate(slopes):
                slope[images, number] = part.permute(0, 1, 4, 2, 3)
            slope_position -= slopes[1].sum(dim=(0, 1)).permute(2, 0, 1)
    return slope, slope_position


@attend_by_tile.register_fake
def _(qkv: Tensor, position: Tensor, size: int) -> Tensor:
    return pixel_major(qkv)


@attend_by_tile_backward.register_fake
def _(upstream: Tensor, qkv: Tensor, position: Tensor, size: int) -> tuple[Tensor, Tensor]:
    return torch.empty_like(qkv), torch.empty_like(position)


def keep_inputs(ctx: Any, inputs: tuple[Tensor, Tensor, int], output: Tensor) -> None:
    """Keep for the backward pass what it needs: the inputs."""
    qkv, position, ctx.size = inputs
    ctx.save_for_backward(qkv, position)


def pass_back(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
    """The gradient of `attend_by_tile`."""
    slope, slope_position = attend_by_tile_backward(upstream, *ctx.saved_tensors, ctx.size)
    return slope, slope_position, None


attend_by_tile.register_autograd(pass_back, setup_context=keep_inputs)


def pixel_major(qkv: Tensor) -> Tensor:
    """Memory for what `attend` returns: a pixel's heads one after the other, as channels_last."""
    images, _, heads, depth, height, width = qkv.shape
    return qkv.new_empty(images, height, width, heads, depth).permute(0, 3, 4, 1, 2)


def image_groups(qkv: Tensor) -> Iterator[slice]:
    """One image at a time where caches are small, else all at once."""
    step = 1 if has_small_caches(qkv) else qkv.shape[0]
    return (slice(first, first + step) for first in range(0, qkv.shape[0], max(step, 1)))

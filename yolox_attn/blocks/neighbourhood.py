"""Attention of every pixel over the K x K window around it; borders are mirrored.

Two ways to the same numbers. `attend_by_offset` is a sum over the offsets, in ordinary operations
that any compiler or exporter understands. `attend_by_tile` cuts the map into tiles: all queries of
a tile meet all keys that one of them reaches in one matrix product, and a mask takes away the pairs
further apart than the window. That multiplies about four times as much as needed and is still the
fastest form measured (docs/benchmarks.md), because matrix products run near the processor's peak.
Its backward pass keeps q, k and v only and computes the weights again, tile by tile.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from yolox_attn.blocks.gates import is_recorded
from yolox_attn.blocks.mirror import mirror_fold, mirror_pad
from yolox_attn.blocks.tiles import Tiling


def attend(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    """Softmax attention, logits q . k / sqrt(d), over the window of odd side `size`.

    Shape: three times (N, heads, d, H, W) -> (N, heads, d, H, W).
    """
    if is_recorded():
        return attend_by_offset(q, k, v, size)
    out: Tensor = attend_by_tile(q, k, v, size)
    return out


def attend_by_offset(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    """Do the work of `attend` offset by offset."""
    height, width = q.shape[-2:]
    exact = torch.promote_types(q.dtype, torch.float32)
    scaled = q.to(exact) * q.shape[2] ** -0.5
    k, v = mirror_pad(k.to(exact), size // 2), mirror_pad(v.to(exact), size // 2)
    corners = [(top, left) for top in range(size) for left in range(size)]
    logits = [(scaled * k[..., i : i + height, j : j + width]).sum(dim=2) for i, j in corners]
    weights = torch.stack(logits, dim=2).softmax(dim=2)  # (N, heads, K * K, H, W)
    out = torch.zeros_like(scaled)
    for number, (i, j) in enumerate(corners):
        out = out + weights[:, :, number : number + 1] * v[..., i : i + height, j : j + width]
    return out.to(q.dtype)


# An operator of its own, so that torch sees one step with a shape rule and a gradient. Nothing
# inside it is recorded, neither by autograd nor by torch's FLOP counter, which would count the
# masked pairs as well.
@torch.library.custom_op("yolox_attn::attend_by_tile", mutates_args=())
def attend_by_tile(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    """Do the work of `attend` tile by tile."""
    tiling = Tiling(q.shape[-2], q.shape[-1], size)
    height, width = tiling.map_shape
    out = torch.empty_like(q)
    with torch.autocast(q.device.type, enabled=False):
        for images in image_groups(q):
            heads = HeadTiles(tiling, q[images], k[images], v[images])
            padded = torch.zeros_like(heads.q)
            for row in range(tiling.rows):
                _, _, values, weights = heads.row(row)
                tiling.paste(values @ weights.mT, padded, row)
            out[images] = padded[..., :height, :width]
    return out


@torch.library.custom_op("yolox_attn::attend_by_tile_backward", mutates_args=())
def attend_by_tile_backward(
    upstream: Tensor, q: Tensor, k: Tensor, v: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of `attend_by_tile` with respect to q, k and v."""
    tiling = Tiling(q.shape[-2], q.shape[-1], size)
    height, width = tiling.map_shape
    grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    with torch.autocast(q.device.type, enabled=False):
        for images in image_groups(q):
            heads = HeadTiles(tiling, q[images], k[images], v[images])
            padded_q, padded_k, padded_v = heads.gradients(upstream[images])
            grad_q[images] = padded_q[..., :height, :width]
            grad_k[images] = mirror_fold(padded_k, size // 2, height, width)
            grad_v[images] = mirror_fold(padded_v, size // 2, height, width)
    return grad_q, grad_k, grad_v


@attend_by_tile.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    return torch.empty_like(q)


@attend_by_tile_backward.register_fake
def _(
    upstream: Tensor, q: Tensor, k: Tensor, v: Tensor, size: int
) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def keep_inputs(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int], output: Tensor) -> None:
    """Keep for the backward pass what it needs: the inputs."""
    q, k, v, ctx.size = inputs
    ctx.save_for_backward(q, k, v)


def pass_back(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
    """The gradient of `attend_by_tile`."""
    grad_q, grad_k, grad_v = attend_by_tile_backward(upstream, *ctx.saved_tensors, ctx.size)
    return grad_q, grad_k, grad_v, None


attend_by_tile.register_autograd(pass_back, setup_context=keep_inputs)


def image_groups(q: Tensor) -> Iterator[slice]:
    """One image at a time on a CPU, whose caches are small; all at once on an accelerator."""
    step = 1 if q.device.type == "cpu" else q.shape[0]
    return (slice(first, first + step) for first in range(0, q.shape[0], max(step, 1)))


class HeadTiles:
    """Queries, keys and values of a few images, padded to whole tiles, at least in float32."""

    def __init__(self, tiling: Tiling, q: Tensor, k: Tensor, v: Tensor) -> None:
        exact = torch.promote_types(q.dtype, torch.float32)
        self.tiling, self.reach, self.scale = tiling, tiling.size - 1, q.shape[2] ** -0.5
        self.q = tiling.pad_queries(q.to(exact))
        self.k, self.v = tiling.pad_keys(k.to(exact)), tiling.pad_keys(v.to(exact))
        self.too_far = tiling.too_far(self.q)

    def row(self, row: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Queries, keys and values of a row of tiles, (tiles, d, pixels), and their weights."""
        queries = self.tiling.cut(self.q, row)
        keys = self.tiling.cut(self.k, row, self.reach)
        values = self.tiling.cut(self.v, row, self.reach)
        logits = torch.baddbmm(self.too_far, queries.mT, keys, alpha=self.scale)
        return queries, keys, values, logits.softmax(dim=-1)  # (tiles, queries, keys)

    def gradients(self, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What flows back to the padded queries, keys and values."""
        padded = tuple(torch.zeros_like(x) for x in (self.q, self.k, self.v))
        upstream = self.tiling.pad_queries(upstream.to(self.q.dtype))
        for row in range(self.tiling.rows):
            queries, keys, values, weights = self.row(row)
            above = self.tiling.cut(upstream, row)
            slopes = above.mT @ values
            slopes -= (slopes * weights).sum(dim=-1, keepdim=True)
            slopes *= weights
            slopes *= self.scale  # the gradient of q . k
            self.tiling.paste(keys @ slopes.mT, padded[0], row)
            self.tiling.paste(queries @ slopes, padded[1], row, self.reach)
            self.tiling.paste(above @ weights, padded[2], row, self.reach)
        return padded[0], padded[1], padded[2]

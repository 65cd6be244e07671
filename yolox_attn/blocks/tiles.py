"""A map cut into strips, and those into tiles: a tile's queries with all the keys within its reach.

The keys of a strip lie row by row in memory. So those of a tile are one piece of it, which overlaps
with the next tile's and is not a copy.
"""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.mirror import mirror_fold, mirror_pad


def has_small_caches(x: Tensor) -> bool:
    """Whether `x` is on a CPU, where small parts are faster; an accelerator takes all at once."""
    return x.device.type == "cpu"


class Tiling:
    """How a map of `height` x `width` pixels is cut for windows of odd side `size`.

    Tiles are about one pixel wider than the window and half as high, where the products lost on
    pairs too far apart and the cost of small products balance. All tiles are equal; the last ones
    may stick out of the map.
    """

    def __init__(self, height: int, width: int, size: int) -> None:
        self.map_shape, self.size, self.reach = (height, width), size, size - 1
        self.strips = max(1, round(width / max(4, size + 1)))
        self.rows = max(1, round(height / max(4, (size + 1) // 2)))  # tiles of a strip
        self.height, self.width = -(-height // self.rows), -(-width // self.strips)
        self.surplus = self.rows * self.height - height, self.strips * self.width - width

    def too_far(self, like: Tensor) -> Tensor:
        """-inf where a key is out of a query's window, else 0: (queries, keys) of one tile."""
        down, across = (self._reach(side, like) for side in (self.height, self.width))
        near = down[:, None, :, None] & across[None, :, None, :]
        far = like.new_zeros(near.shape).masked_fill_(~near, -math.inf)
        return far.view(self.height * self.width, -1)

    def _reach(self, side: int, like: Tensor) -> Tensor:
        """Which of the keys along one side of a tile each of its queries reaches, (side, keys)."""
        offsets = torch.arange(side + self.reach, device=like.device)
        offsets = offsets - torch.arange(side, device=like.device)[:, None]
        return (offsets >= 0) & (offsets < self.size)

    def cut_queries(self, x: Tensor) -> Tensor:
        """(N, heads, H, W, d) -> (strips, N, heads, tiles, queries of a tile, d)."""
        down, across = self.surplus
        padded = functional.pad(x, (0, 0, 0, across, 0, down))
        cut = padded.view(*x.shape[:2], self.rows, self.height, self.strips, self.width, -1)
        return cut.permute(4, 0, 1, 2, 3, 5, 6).flatten(4, 5).contiguous()

    def join_queries(self, tiles: Tensor) -> Tensor:
        """Undo `cut_queries`."""
        cut = tiles.view(*tiles.shape[:4], self.height, self.width, -1).permute(1, 2, 3, 4, 0, 5, 6)
        height, width = self.map_shape
        return cut.flatten(4, 5).flatten(2, 3)[:, :, :height, :width]

    def cut_keys(self, x: Tensor) -> Tensor:
        """(N, heads, H, W, d) -> (strips, N, heads, tiles * height + reach, width + reach, d).

        Borders are mirrored as far as any window reaches.
        """
        padded = mirror_pad(x, self.size // 2, self.surplus)
        strips = padded.unfold(3, self.width + self.reach, self.width)
        return strips.permute(3, 0, 1, 2, 5, 4).contiguous()

    def join_keys(self, strips: Tensor) -> Tensor:
        """The gradient of `cut_keys`: add up what comes from the same place of the map."""
        height, width = (
            side + more for side, more in zip(self.map_shape, self.surplus, strict=True)
        )
        padded = strips.new_zeros(
            *strips.shape[1:3], height + self.reach, width + self.reach, strips.shape[-1]
        )
        for number, strip in enumerate(strips):
            padded[:, :, :, number * self.width :][:, :, :, : strip.shape[3]] += strip
        return mirror_fold(padded, self.size // 2, *self.map_shape)

    def windows(self, strips: Tensor) -> Tensor:
        """What each tile of each strip reaches, a view: (..., tiles, height + reach, columns, d).

        Args:
            strips: (..., tiles * height + reach, columns, d).
        """
        return strips.unfold(-3, self.height + self.reach, self.height).movedim(-1, -3)

    def add_windows(self, windows: Tensor, onto: Tensor) -> None:
        """Add to `onto`, which `windows` returned, a tile's own rows at a time: these are apart."""
        for start in range(0, self.height + self.reach, self.height):
            rows = slice(start, start + self.height)
            onto[..., rows, :, :] += windows.view(onto.shape)[..., rows, :, :]


class HeadTiles:
    """Attention between the tiles of some images; q, k, v and results are (N, heads, H, W, d)."""

    def __init__(self, tiling: Tiling, q: Tensor, k: Tensor, v: Tensor) -> None:
        self.tiling, self.scale = tiling, q.shape[-1] ** -0.5
        self.q = tiling.cut_queries(q * self.scale)
        self.k, self.v = tiling.cut_keys(k), tiling.cut_keys(v)
        self.too_far = tiling.too_far(self.q)

    def attend(self) -> Tensor:
        """Each query's weighted sum of values."""
        out = torch.empty_like(self.q)
        for q, k, v, into in self._tiles(self.q, self._keys(self.k), self._keys(self.v), out):
            torch.bmm(self._weights(q, k), v, out=into)
        return self.tiling.join_queries(out)

    def gradients(self, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What flows back to q, k and v; the weights are computed once more."""
        above = self.tiling.cut_queries(upstream.to(self.q.dtype))
        to_q, to_k, to_v = torch.empty_like(self.q), *map(torch.zeros_like, (self.k, self.v))
        inputs = self._tiles(self.q, self._keys(self.k), self._keys(self.v), above, to_q)
        onto = self._strips(self.tiling.windows(to_k), self.tiling.windows(to_v))
        for (q, k, v, g, into), (onto_k, onto_v) in zip(inputs, onto, strict=True):
            weights = self._weights(q, k)
            slopes = torch.bmm(g, v.mT)
            slopes = torch._softmax_backward_data(slopes, weights, -1, slopes.dtype)
            torch.bmm(slopes, k, out=into)
            self.tiling.add_windows(torch.bmm(slopes.mT, q), onto_k)
            self.tiling.add_windows(torch.bmm(weights.mT, g), onto_v)
        to_q *= self.scale
        join = self.tiling.join_keys
        return self.tiling.join_queries(to_q), join(to_k), join(to_v)

    def _weights(self, q: Tensor, k: Tensor) -> Tensor:
        """(tiles, queries, keys)."""
        return torch.baddbmm(self.too_far, q, k.mT).softmax(dim=-1)

    def _keys(self, strips: Tensor) -> Tensor:
        """(strips, N, heads, tiles, keys of a tile, d)."""
        return self.tiling.windows(strips).flatten(4, 5)

    def _strips(self, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
        """Let one strip after the other be worked on, (n, n, tiles, ...).

        On a CPU one head of one image at a time, else all together.
        """
        if has_small_caches(self.q):
            tensors = tuple(each.flatten(0, 2)[:, None, None] for each in tensors)
        return zip(*tensors, strict=True)

    def _tiles(self, *tensors: Tensor) -> Iterator[list[Tensor]]:
        """The same as one batch of tiles; on a CPU a view."""
        return ([each.flatten(0, 2) for each in strip] for strip in self._strips(*tensors))

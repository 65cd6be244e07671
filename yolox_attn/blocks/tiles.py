"""A map cut into tiles: each tile's queries with all the keys within their reach."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.mirror import mirror_fold, mirror_pad


class Tiling:
    """How a map of `height` x `width` pixels is cut for windows of odd side `size`.

    Tiles are about one pixel wider than the window, where the products lost on pairs too far
    apart and the cost of copying keys into several tiles balance. All tiles are equal; the last
    ones may stick out of the map.
    """

    def __init__(self, height: int, width: int, size: int) -> None:
        self.map_shape, self.size = (height, width), size
        self.rows, self.columns = (
            max(1, round(side / max(4, size + 1))) for side in self.map_shape
        )
        self.height, self.width = -(-height // self.rows), -(-width // self.columns)
        self.surplus = self.rows * self.height - height, self.columns * self.width - width

    def too_far(self, like: Tensor) -> Tensor:
        """-inf where a key is out of a query's window, else 0: (queries, keys) of one tile."""
        down, across = (self._reach(side, like) for side in (self.height, self.width))
        near = down[:, None, :, None] & across[None, :, None, :]
        far = like.new_zeros(near.shape).masked_fill_(~near, -math.inf)
        return far.view(self.height * self.width, -1)

    def _reach(self, side: int, like: Tensor) -> Tensor:
        """Which of the keys along one side of a tile each of its queries reaches, (side, keys)."""
        offsets = torch.arange(side + self.size - 1, device=like.device)
        offsets = offsets - torch.arange(side, device=like.device)[:, None]
        return (offsets >= 0) & (offsets < self.size)

    def pad_queries(self, x: Tensor) -> Tensor:
        """Fill the tiles that stick out with zeros."""
        return functional.pad(x, (0, 0, 0, self.surplus[1], 0, self.surplus[0]))

    def pad_keys(self, x: Tensor) -> Tensor:
        """Mirror the borders as far as any tile's windows reach."""
        return mirror_pad(x, self.size // 2, self.surplus)

    def cut(self, x: Tensor, row: int, reach: int = 0) -> Tensor:
        """Copy one row of tiles, each with `reach` more pixels below and to the right.

        Shape: padded (N, heads, H, W, d) -> (N * heads * columns, pixels of a tile, d).
        """
        tiles = self._strip(x, row, reach).unfold(3, self.width + reach, self.width)
        tiles = tiles.permute(0, 1, 3, 2, 5, 4)  # (N, heads, columns, height, width, d)
        return tiles.reshape(-1, tiles.shape[3] * tiles.shape[4], tiles.shape[5])

    def paste(self, tiles: Tensor, onto: Tensor, row: int, reach: int = 0) -> None:
        """Add what `cut` would have copied to its place in `onto`, overlaps included."""
        strip = self._strip(onto, row, reach)
        width = self.width + reach
        tiles = tiles.view(*strip.shape[:2], self.columns, -1, width, strip.shape[-1])
        for column in range(self.columns):
            strip[:, :, :, column * self.width :][:, :, :, :width] += tiles[:, :, column]

    def _strip(self, x: Tensor, row: int, reach: int) -> Tensor:
        return x[:, :, row * self.height : (row + 1) * self.height + reach]


class HeadTiles:
    """Attention between the tiles of some images; q, k, v and results are (N, heads, H, W, d)."""

    def __init__(self, tiling: Tiling, q: Tensor, k: Tensor, v: Tensor) -> None:
        self.tiling, self.reach, self.scale = tiling, tiling.size - 1, q.shape[-1] ** -0.5
        self.q = tiling.pad_queries(q.contiguous())
        self.k, self.v = tiling.pad_keys(k.contiguous()), tiling.pad_keys(v.contiguous())
        self.too_far = tiling.too_far(self.q)

    def attend(self) -> Tensor:
        """Each query's weighted sum of values."""
        out = torch.zeros_like(self.q)
        for row in range(self.tiling.rows):
            _, _, values, weights = self._row(row)
            self.tiling.paste(weights @ values, out, row)
        return self._crop(out)

    def gradients(self, upstream: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What flows back to q, k and v; the weights are computed once more."""
        to_q, to_k, to_v = (torch.zeros_like(x) for x in (self.q, self.k, self.v))
        upstream = self.tiling.pad_queries(upstream.to(self.q.dtype).contiguous())
        for row in range(self.tiling.rows):
            queries, keys, values, weights = self._row(row)
            above = self.tiling.cut(upstream, row)
            slopes = above @ values.mT
            slopes -= (slopes * weights).sum(dim=-1, keepdim=True)
            slopes *= weights
            slopes *= self.scale  # of the logits, now of q . k
            self.tiling.paste(slopes @ keys, to_q, row)
            self.tiling.paste(slopes.mT @ queries, to_k, row, self.reach)
            self.tiling.paste(weights.mT @ above, to_v, row, self.reach)
        fold = self.tiling.size // 2, *self.tiling.map_shape
        return self._crop(to_q), mirror_fold(to_k, *fold), mirror_fold(to_v, *fold)

    def _row(self, row: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """A row of tiles: its queries, keys, values (tiles, pixels, d), and its weights."""
        queries = self.tiling.cut(self.q, row)
        keys = self.tiling.cut(self.k, row, self.reach)
        values = self.tiling.cut(self.v, row, self.reach)
        logits = torch.baddbmm(self.too_far, queries, keys.mT, alpha=self.scale)
        return queries, keys, values, logits.softmax(dim=-1)  # (tiles, queries, keys)

    def _crop(self, x: Tensor) -> Tensor:
        height, width = self.tiling.map_shape
        return x[:, :, :height, :width]

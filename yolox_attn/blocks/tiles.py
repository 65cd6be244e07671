"""A map cut into tiles: each tile's queries beside all the keys within their reach."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.mirror import mirror_pad


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
        return functional.pad(x, (0, self.surplus[1], 0, self.surplus[0]))

    def pad_keys(self, x: Tensor) -> Tensor:
        """Mirror the borders as far as any tile's windows reach."""
        return mirror_pad(x, self.size // 2, self.surplus)

    def cut(self, x: Tensor, row: int, reach: int = 0) -> Tensor:
        """Copy one row of tiles, each with `reach` more pixels below and to the right.

        Shape: padded (N, heads, d, H, W) -> (N * heads * columns, d, pixels of a tile).
        """
        tiles = self._strip(x, row, reach).unfold(-1, self.width + reach, self.width)
        return tiles.permute(0, 1, 4, 2, 3, 5).reshape(-1, x.shape[2], tiles[0, 0, 0, :, 0].numel())

    def paste(self, tiles: Tensor, onto: Tensor, row: int, reach: int = 0) -> None:
        """Add what `cut` would have copied to its place in `onto`, overlaps included."""
        strip = self._strip(onto, row, reach)
        images, heads, depth, height, _ = strip.shape
        tiles = tiles.view(images, heads, self.columns, depth, height, -1)
        for column in range(self.columns):
            left = column * self.width
            strip[..., left : left + self.width + reach] += tiles[:, :, column]

    def _strip(self, x: Tensor, row: int, reach: int) -> Tensor:
        return x[..., row * self.height : (row + 1) * self.height + reach, :]

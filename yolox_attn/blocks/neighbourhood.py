"""Attention of every pixel over the K x K window around it, borders mirrored."""

import torch
from torch import Tensor


def folded_indices(length: int, padding: int) -> list[int]:
    """Indices that mirror an axis by `padding` on both sides without repeating its ends.

    Equals reflection padding where that is defined and goes on folding where the axis is shorter
    than the padding; a single pixel is repeated.
    """
    period = max(2 * (length - 1), 1)
    steps = [index % period for index in range(-padding, length + padding)]
    return [min(step, period - step) for step in steps] if length > 1 else [0] * len(steps)


def mirror_pad(x: Tensor, padding: int) -> Tensor:
    """(..., H, W) -> (..., H + 2 padding, W + 2 padding), mirrored at the borders."""
    for axis in (-2, -1):
        indices = folded_indices(x.shape[axis], padding)
        x = x.index_select(axis, torch.tensor(indices, device=x.device))
    return x


def attend_by_offset(q: Tensor, k: Tensor, v: Tensor, size: int) -> Tensor:
    """Softmax attention over the window's offsets, one after the other, by ordinary operations.

    Args:
        q: Queries, already scaled, (B, heads, d, H, W); `k` and `v` likewise.
        size: The window's odd side length K.

    Shape: three times (B, heads, d, H, W) -> (B, heads, d, H, W).
    """
    height, width = q.shape[-2:]
    k, v = mirror_pad(k, size // 2), mirror_pad(v, size // 2)
    corners = [(top, left) for top in range(size) for left in range(size)]
    logits = [(q * k[..., i : i + height, j : j + width]).sum(dim=2) for i, j in corners]
    weights = torch.stack(logits, dim=2).softmax(dim=2)  # (B, heads, K * K, H, W)
    out = torch.zeros_like(q)
    for number, (i, j) in enumerate(corners):
        out = out + weights[:, :, number : number + 1] * v[..., i : i + height, j : j + width]
    return out

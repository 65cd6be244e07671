"""Mirrored borders for maps of any size, and the gradient of mirroring.

Maps are (N, heads, H, W, d) here: the components of a pixel lie side by side.
"""

import torch
from torch import Tensor

from yolox_attn.blocks.gates import at_least_one


def folded_indices(length: int, before: int, after: int) -> Tensor:
    """Indices that mirror an axis beyond both of its ends without repeating them.

    Equals reflection padding where that is defined, and goes on folding where the axis is shorter
    than the padding; an axis of length 1 is repeated. Ordinary operations of any length, so that
    an exported network takes maps of any size.

    Shape: (before + length + after,).
    """
    period = torch.full((1,), at_least_one(2 * (length - 1)))
    steps = torch.arange(-before, length + after) % period
    return torch.minimum(steps, period - steps)


def mirror_pad(x: Tensor, padding: int, extra: tuple[int, int] = (0, 0)) -> Tensor:
    """Mirror a map by `padding` on each side, and by `extra` more below and to the right.

    Shape: (N, heads, H, W, d) -> (N, heads, H + 2 padding + extra[0], W + 2 padding + extra[1], d).
    """
    for axis, more in zip((2, 3), extra, strict=True):
        indices = folded_indices(x.shape[axis], padding, padding + more)
        x = x.index_select(axis, indices.to(x.device))
    return x


def mirror_fold(gradient: Tensor, padding: int, height: int, width: int) -> Tensor:
    """Add what `mirror_pad` copied back to where it came from: the gradient of mirroring.

    Slices in a fixed order, so that the result does not vary from run to run on any device; what
    `extra` added is dropped.

    Shape: (N, heads, at least H + 2 padding, at least W + 2 padding, d) -> (N, heads, H, W, d).
    """
    for axis, length in ((2, height), (3, width)):
        folded = gradient.narrow(axis, padding, length).clone()
        sources = folded_indices(length, padding, padding).tolist()
        for place in (*range(padding), *range(padding + length, length + 2 * padding)):
            folded.select(axis, sources[place]).add_(gradient.select(axis, place))
        gradient = folded
    return gradient

"""What the blocks share: option checks, the reduced width, the input's layout, being recorded."""

from typing import Any

import torch
from torch import Tensor


def require_counts(block: str, **counts: object) -> None:
    """Refuse what is not a whole number of at least 1.

    Raises:
        ValueError: names the block, the argument and its value.
    """
    for argument, value in counts.items():
        if type(value) is not int or value < 1:
            raise ValueError(
                f"{block}: {argument} must be a whole number of at least 1, got {value!r}"
            )


def require_odd(block: str, **sizes: object) -> None:
    """Refuse kernel sizes that have no middle: their padding cannot keep the map's size.

    Raises:
        ValueError: names the block, the argument and its value.
    """
    require_counts(block, **sizes)
    for argument, value in sizes.items():
        if type(value) is int and value % 2 == 0:
            raise ValueError(f"{block}: {argument} must be odd, got {value}")


def require_flags(block: str, **flags: object) -> None:
    """Refuse what is neither True nor False: the text "False" counts as true in Python.

    Raises:
        ValueError: names the block, the argument and its value.
    """
    for argument, value in flags.items():
        if type(value) is not bool:
            raise ValueError(f"{block}: {argument} must be True or False, got {value!r}")


def reduced_width(channels: int, reduction: int) -> int:
    """Return channels / reduction, rounded down, but never 0: a gate needs an input."""
    return max(1, channels // reduction)


def match_input(y: Tensor, x: Tensor) -> Tensor:
    """Return `y` in the dtype and the memory format of the block's input `x`.

    A map that reads as both formats (one channel, or one pixel) stays both, whichever is taken.
    """
    y = y.to(x.dtype)
    if x.is_contiguous():
        return y.contiguous()
    if x.is_contiguous(memory_format=torch.channels_last):
        return y.contiguous(memory_format=torch.channels_last)
    return y


def at_least_one(length: Any) -> Any:
    """Return max(length, 1), also where a recorder has put a symbol or a tensor in its place."""
    if isinstance(length, Tensor):
        return length.clamp(min=1)
    return torch.sym_max(length, 1)


def is_recorded() -> bool:
    """Tell whether the forward pass is being traced, exported or compiled instead of just run.

    A record must hold ordinary operations, the same ones whatever the numbers are.
    """
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    return tracing or torch.compiler.is_compiling()

"""What the blocks share: option checks, the reduced width, the input's layout, being recorded."""

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
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
    """Tell whether the forward pass is traced, exported, compiled or transformed, not just run.

    A record must hold ordinary operations, the same ones whatever the numbers are; `torch.func`
    must find rules for them.
    """
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined,no-untyped-call]
    transformed: bool = torch._C._are_functorch_transforms_active()
    return tracing or transformed or torch.compiler.is_compiling()


def runs_plainly(x: Tensor) -> bool:
    """Tell whether ordinary operations must do: in a record, and where nothing learns."""
    # torch.fx passes something else than a tensor.
    return not isinstance(x, Tensor) or is_recorded() or not torch.is_grad_enabled()


def without_autocast(x: Tensor) -> AbstractContextManager[Any]:
    """Return what turns autocast off on the device of `x`, where it is on."""
    if not isinstance(x, Tensor) or not under_autocast(x):
        return nullcontext()
    return torch.autocast(x.device.type, enabled=False)


def under_autocast(x: Tensor) -> bool:
    """Tell whether autocast is on where `x` is; the meta device knows none."""
    return not x.is_meta and torch.is_autocast_enabled(x.device.type)


def own_gradient(backward: Callable[..., Any]) -> Callable[..., Any]:
    """Make a Function's `backward` refuse second derivatives, and run in its own precision.

    `once_differentiable` refuses them only where the upstream gradient itself needs a gradient.
    """

    @functools.wraps(backward)
    def checked(ctx: Any, *upstream: Tensor) -> Any:
        if torch.is_grad_enabled():  # create_graph
            raise RuntimeError(f"{backward.__qualname__}: there is no second derivative")
        with without_autocast(upstream[0]):
            return backward(ctx, *upstream)

    return checked

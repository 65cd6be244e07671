"""Does a user's own block keep the contract? One probe on a copy, before anything is trained.

The contract: a feature map in, a map of the same shape and type out, at every size of the
experiment; finite; the input left as it is; all parameters there from the start.
"""

import copy
import inspect
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from yolox_attn.errors import InputError, line_in
from yolox_attn.models.identity import IdentityStart
from yolox_attn.models.placement import LEVELS, Placement
from yolox_attn.seed import stream

STRIDES = dict(zip(LEVELS, (8, 16, 32), strict=True))


def check_blocks(
    blocks: nn.ModuleDict,
    placements: Iterable[Placement],
    channels: dict[str, int],
    sizes: Sequence[tuple[int, int]],
) -> None:
    """Probe the users' own blocks, in evaluation mode, with maps of random numbers.

    Weights, buffers and random streams are afterwards what they were. Blocks of the zoo have tests
    of their own and are not probed.

    Args:
        blocks: level -> what was built, perhaps in an `IdentityStart`.
        placements: what stands where.
        channels: level -> channels of its map.
        sizes: (height, width) of images.

    Raises:
        InputError: a block breaks the contract; says which, where, and what it needs.
    """
    for placed in placements:
        if isinstance(placed.block, str):
            continue
        built = blocks[placed.level]
        block = built.block if isinstance(built, IdentityStart) else built
        who = f"attention {placed.name} at {placed.level}"
        for height, width in sizes:
            stride = STRIDES[placed.level]
            shape = (1, channels[placed.level], height // stride, width // stride)
            with stream(0, "probe"), torch.no_grad():
                fault = _fault(block, shape)
            if fault:
                raise InputError(f"{who} {fault} (an image of {height}x{width})")


def _fault(block: nn.Module, shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with the block on a map of `shape`, as the end of a sentence."""
    lazy = [name for name, each in block.named_parameters() if nn.parameter.is_lazy(each)]
    if lazy:
        return f"has a lazy parameter, {lazy[0]}: give it its shape when it is built"
    try:
        block = copy.deepcopy(block).eval()
    except Exception as error:  # noqa: BLE001 - whatever a user's class raises
        return f"cannot be copied, as the moving average of the weights must: {_line(error, block)}"
    before = {name for name, _ in block.named_parameters()}
    x = torch.randn(shape)
    given = x.clone()
    try:
        out = block(given)
    except Exception as error:  # noqa: BLE001
        return f"fails on a map of {shape}: {_line(error, block)}"
    if fault := _fault_of_output(out, x):
        return fault
    if not torch.equal(given, x):
        return "changes its input in place: the network needs it unchanged for its gradients"
    if late := sorted({name for name, _ in block.named_parameters()} - before):
        return f"makes {late[0]} in forward: it would not be trained; make it in __init__"
    return None


def _fault_of_output(out: object, x: Tensor) -> str | None:
    shape = tuple(x.shape)
    if not isinstance(out, Tensor):
        return f"returned {type(out).__name__}, needs a tensor of {shape}"
    if out.shape != shape:
        return f"returned {tuple(out.shape)}, needs {shape}"
    if out.dtype != x.dtype:
        return f"returned {_name(out.dtype)} for {_name(x.dtype)}: keep the type of the input"
    if not out.isfinite().all():
        return f"returned values that are not finite, for a map of {shape}"
    return None


def _line(error: BaseException, block: nn.Module) -> str:
    """Return the error in one line, with the place in the file that defines the block."""
    text = (str(error).strip().splitlines() or [""])[0]
    try:
        where = line_in(error, inspect.getfile(type(block)))
    except (TypeError, OSError):
        where = ""
    return f"{type(error).__name__}: {text}{where}"


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")

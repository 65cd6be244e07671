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
    """Probe the users' own blocks with maps of random numbers: in evaluation, and one step.

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
    seen: dict[int, str] = {}
    for placed in placements:
        if isinstance(placed.block, str):
            continue
        built, level = blocks[placed.level], placed.level
        block = built.block if isinstance(built, IdentityStart) else built
        who = f"attention {placed.name} at {level}"
        if (other := seen.setdefault(id(block), level)) != level:
            raise InputError(
                f"{who} is the module that stands at {other}: build one for each level"
            )
        shapes = [
            (1, channels[level], height // STRIDES[level], width // STRIDES[level])
            for height, width in sizes
        ]
        with stream(0, "probe"):
            if fault := _fault_of_state(block):
                raise InputError(f"{who} {fault}")
            for shape, (height, width) in zip(shapes, sizes, strict=True):
                if fault := _fault(block, shape):
                    raise InputError(f"{who} {fault} (an image of {height}x{width})")
            if fault := _fault_in_training(block, (2, *shapes[0][1:])):
                raise InputError(f"{who} {fault}")


def _fault_of_state(block: nn.Module) -> str | None:
    """Return what keeps the block from being copied, as the moving average of the weights must."""
    lazy = [name for name, each in block.named_parameters() if nn.parameter.is_lazy(each)]
    if lazy:
        return f"has a lazy parameter, {lazy[0]}: give it its shape when it is built"
    try:
        copy.deepcopy(block)
    except Exception as error:  # noqa: BLE001 - whatever a user's class raises
        return f"cannot be copied, as the moving average of the weights must: {_line(error, block)}"
    return None


def _fault(block: nn.Module, shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with the block on a map of `shape`, as the end of a sentence."""
    block = copy.deepcopy(block).eval()
    x = torch.randn(shape)
    given = x.clone()
    try:
        with torch.no_grad():
            out = block(given)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return f"fails on a map of {shape}: {_line(error, block)}"
    if fault := _fault_of_output(out, x):
        return fault
    if not torch.equal(given, x):
        return "changes its input in place: the network needs it unchanged for its gradients"
    return None


def _fault_in_training(block: nn.Module, shape: tuple[int, ...]) -> str | None:
    """Return what is wrong with a training step of the block: its gradients, what it leaves."""
    block = copy.deepcopy(block).train()
    before = {name for name, _ in block.named_parameters()}
    x = torch.randn(shape, requires_grad=True)
    try:
        with torch.enable_grad():
            out = block(x * 1)
            if fault := _fault_of_output(out, x):
                return f"in training {fault}"
            (out * torch.randn(shape)).sum().backward()
        copy.deepcopy(block)
    except (Exception, SystemExit) as error:  # noqa: BLE001
        return f"fails in a training step on a map of {shape}: {_line(error, block)}"
    if x.grad is None:
        return "gives its input no gradient: the backbone below would not learn through it"
    if late := sorted({name for name, _ in block.named_parameters()} - before):
        return f"makes {late[0]} in forward: it would not be trained; make it in __init__"
    trained = ((n, p) for n, p in block.named_parameters() if p.requires_grad)
    if idle := [name for name, parameter in trained if parameter.grad is None]:
        return f"does not use {idle[0]}: it would not be trained; use it, or leave it out"
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

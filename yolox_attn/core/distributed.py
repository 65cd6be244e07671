"""What the processes of one run exchange; with one process every function costs nothing."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from yolox.utils import get_rank, get_world_size

from yolox_attn.errors import Ending

Value = TypeVar("Value")


def average_norm(*models: nn.Module) -> None:
    """Give every rank the mean over the ranks of the BatchNorm statistics of `models`.

    In training each rank follows the statistics of its own images; what is evaluated and saved
    must be one network. Call it on every rank.
    """
    statistics = [
        buffer
        for model in models
        for module in model.modules()
        if isinstance(module, _BatchNorm)
        for buffer in (module.running_mean, module.running_var)
        if buffer is not None
    ]
    if get_world_size() == 1 or not statistics:
        return
    # In float64 the mean of equal numbers is that number: statistics that are frozen stay.
    flat = torch.cat([buffer.detach().double().flatten() for buffer in statistics])
    dist.all_reduce(flat)
    flat /= get_world_size()
    sizes = [buffer.numel() for buffer in statistics]
    with torch.no_grad():
        for buffer, values in zip(statistics, flat.split(sizes), strict=True):
            buffer.copy_(values.view_as(buffer))


def any_rank(*flags: bool) -> tuple[bool, ...]:
    """Return for each flag whether it is true on any rank; all ranks get the same answer.

    It goes over the CPU's own connections: no GPU is waited for.
    """
    if get_world_size() == 1:
        return flags
    votes = torch.tensor(flags, dtype=torch.uint8)
    dist.all_reduce(votes, dist.ReduceOp.MAX, group=_gloo())
    return tuple(map(bool, votes.tolist()))


def sum_over_ranks(values: Mapping[str, float]) -> dict[str, float]:
    """Return each value's sum over the ranks; every rank gives the same names."""
    if get_world_size() == 1:
        return dict(values)
    names = sorted(values)
    sums = torch.tensor([values[name] for name in names], dtype=torch.float64)
    dist.all_reduce(sums, group=_gloo())
    return dict(zip(names, sums.tolist(), strict=True))


def gather_objects(value: Value) -> list[Value]:
    """Return every rank's value in the order of ranks on rank 0, and nothing on the others."""
    if get_world_size() == 1:
        return [value]
    values: list[Any] | None = [None] * get_world_size() if get_rank() == 0 else None
    dist.gather_object(value, values, dst=0, group=_gloo())
    return values or []


def on_rank_zero(function: Callable[[], Value]) -> Value:
    """Call `function` on rank 0 alone and return its value on all ranks.

    Raises:
        Ending: on all ranks, if `function` raises it; only rank 0 is to report it.
    """
    if get_world_size() == 1:
        return function()
    answer: list[Any] = [None, None]  # value, refusal
    if get_rank() == 0:
        try:
            answer[0] = function()
        except Ending as error:
            answer[1] = error
    dist.broadcast_object_list(answer, src=0, group=_gloo())
    value, refusal = answer
    if refusal is not None:
        refusal.already_reported = get_rank() != 0
        raise refusal
    return value  # type: ignore[no-any-return]


def _gloo() -> dist.ProcessGroup:
    """Return a group of all ranks that carries CPU tensors."""
    return _gloo_with(dist.group.WORLD)  # type: ignore[no-any-return]


@lru_cache(maxsize=1)
def _gloo_with(world: Any) -> Any:
    return world if dist.get_backend() == "gloo" else dist.new_group(backend="gloo")

"""Whether everything in a checkpoint is finite."""

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor


def name_not_finite(state: Any) -> str | None:
    """Return the name of the first tensor in `state` that holds a NaN or an infinity, or None.

    Args:
        state: tensors in dictionaries, lists and tuples, as deep as one likes; a name is the way
            to it, as "weights.head.stems.0.conv.weight".
    """
    named = [(name, x) for name, x in _tensors(state, "") if x.is_floating_point() and x.numel()]
    if not named:
        return None
    # One answer for all of them, fetched from the device once: a tensor each would take as long as
    # the writing. The largest and the smallest are finite if and only if all are.
    good = [torch.stack(torch.aminmax(x.detach())).isfinite().all() for _, x in named]
    answers = torch.stack([each.to(good[0].device) for each in good]).tolist()
    return next((name for (name, _), fine in zip(named, answers, strict=True) if not fine), None)


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping):
        for key, each in value.items():
            yield from _tensors(each, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _tensors(each, f"{name}.{number}" if name else str(number))

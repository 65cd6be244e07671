"""What stops a step: a loss that is not finite, or no memory left, told with what it was about."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from yolox_attn import device as devices
from yolox_attn.errors import TrainingError

ADVICE = "nothing was saved from it; lower basic_lr_per_img or look at these images' boxes"
MOST = 12  # images that a message names


def number(value: Any) -> float:
    """Return a loss as a plain number."""
    return float(value.detach() if isinstance(value, Tensor) else value)


def finite_losses(
    outputs: Mapping[str, Any], where: str, images: Callable[[], Sequence[str]]
) -> None:
    """Refuse losses that are not finite.

    Raises:
        TrainingError: names the losses that are not finite, `where`, and the batch's `images`.
    """
    if torch.isfinite(outputs["total_loss"]):
        return
    losses = {key: number(value) for key, value in outputs.items()}
    wrong = [key for key, value in losses.items() if not math.isfinite(value)]
    raise TrainingError(
        f"{where}: {', '.join(wrong)} not finite ({_told(losses)}); {_named(images())}{ADVICE}"
    )


def finite_gradients(
    parameters: Iterable[nn.Parameter],
    losses: Mapping[str, float],
    where: str,
    images: Callable[[], Sequence[str]],
) -> None:
    """Refuse gradients that would make the weights not finite; their `losses` still were.

    Raises:
        TrainingError: names `where`, the losses and the step's `images`.
    """
    gradients = [p.grad for p in parameters if p.grad is not None]
    if torch.isfinite(nn.utils.get_total_norm(gradients)):
        return
    raise TrainingError(
        f"{where}: gradients not finite ({_told(losses)}); {_named(images())}{ADVICE}"
    )


@contextmanager
def named_failures(model: nn.Module, where: str, load: str) -> Iterator[None]:
    """Tell two failures of a forward or backward pass by their cause; `load` is what was tried.

    Raises:
        TrainingError: out of memory, or the model's weights are not finite.
    """
    try:
        yield
    except RuntimeError as error:
        if devices.out_of_memory(error):
            raise TrainingError(
                f"{where}: out of memory with {load}; lower -b (--accumulate keeps the step's "
                "number of images), input_size or the upper end of random_size"
            ) from error
        # The host's label assignment falls over a NaN by itself, in words of its own.
        if all(parameter.isfinite().all() for parameter in model.parameters()):
            raise
        raise TrainingError(
            f"{where}: weights are not finite since the step before; nothing was saved from it; "
            "lower basic_lr_per_img"
        ) from error


def _told(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{key} {value:g}" for key, value in losses.items())


def _named(images: Sequence[str]) -> str:
    if not images:
        return ""
    more = f" and {len(images) - MOST} more" if len(images) > MOST else ""
    return f"images {', '.join(images[:MOST])}{more}; "

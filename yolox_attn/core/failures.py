"""What stops a step, a loss that is not finite or no memory left: reported with its images."""

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
    raise _not_finite(f"{where}: {', '.join(wrong)}", losses, images())


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
    if not torch.isfinite(nn.utils.get_total_norm(gradients)):
        raise _not_finite(f"{where}: gradients", losses, images())


def _not_finite(what: str, losses: Mapping[str, float], images: Sequence[str]) -> TrainingError:
    values = ", ".join(f"{key} {value:g}" for key, value in losses.items())
    more = f" and {len(images) - MOST} more" if len(images) > MOST else ""
    named = f"images {', '.join(images[:MOST])}{more}; " if images else ""
    return TrainingError(f"{what} not finite ({values}); {named}{ADVICE}")


@contextmanager
def named_failures(model: nn.Module, where: str, load: str) -> Iterator[None]:
    """Name the cause of two failures of a forward or backward pass; `load` is what was tried.

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
        # YOLOX's label assignment fails on a NaN by itself, with a message that hides it.
        if all(parameter.isfinite().all() for parameter in model.parameters()):
            raise
        raise TrainingError(
            f"{where}: weights are not finite since the step before; nothing was saved from it; "
            "lower basic_lr_per_img"
        ) from error


def images_of(loader: Any, numbers: Iterable[int]) -> list[str]:
    """Return the file names of all images that went into these batches of an exact loader.

    Partners of mosaic and mixup included: the batches are computed again, in this process. An
    index stands for the name where the data set keeps no names as YOLOX does.
    """
    names: dict[str, None] = {}  # a set that keeps its order
    addresses = [address for number in numbers for address in loader.batch_sampler.batch(number)]
    with _recorded(loader.dataset.dataset, names) as recorded:
        for address in addresses:
            if recorded:
                loader.dataset[address]
            else:
                names.setdefault(str(address[1]))
    return list(names)


@contextmanager
def _recorded(dataset: Any, names: dict[str, None]) -> Iterator[bool]:
    """Write down each image that `pull_item` reads; False where there is no such method."""
    images = getattr(dataset, "_dataset", dataset)  # YOLOX's mosaic wraps the data set
    if not hasattr(images, "pull_item"):
        yield False
        return
    pull_item = images.pull_item

    def pull_and_record(index: int) -> Any:
        names.setdefault(_file_name(images, index))
        return pull_item(index)

    images.pull_item = pull_and_record
    try:
        yield True
    finally:
        del images.pull_item


def _file_name(images: Any, index: int) -> str:
    try:
        return str(images.annotations[index][3])  # as YOLOX's COCODataset keeps it
    except (AttributeError, LookupError, TypeError):
        return str(index)

"""Training batches on the device, whatever the device: stands where the host has its prefetcher."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from yolox_attn.errors import InputError


class Batches:
    """The loader's endless batches, moved to `device` as float32.

    On a CPU a batch is fetched when asked for, so that the time spent waiting for data reads true;
    pinned batches go to a CUDA device without blocking.
    """

    def __init__(self, loader: DataLoader[Any], device: torch.device) -> None:
        self.device = device
        self._batches: Iterator[Any] = iter(loader)

    def next(self) -> tuple[Tensor, Tensor]:
        """Return images (N, 3, H, W) and labels (N, max_labels, 5), class cx cy w h.

        Raises:
            InputError: an image cannot be read.
        """
        try:
            images, labels, *_ = next(self._batches)
        except InputError as error:  # from a worker it comes wrapped in that process's traceback
            raise InputError(
                str(error).strip().splitlines()[-1].split("InputError: ")[-1]
            ) from error
        return self._move(images), self._move(labels)

    def _move(self, x: Tensor) -> Tensor:
        return x.to(self.device, torch.float32, non_blocking=True)

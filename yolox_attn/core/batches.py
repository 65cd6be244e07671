"""Training batches on the device, whatever the device: in the place of YOLOX's prefetcher."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from yolox_attn.data.sampler import ExactBatches
from yolox_attn.errors import InputError, unwrapped


class Batch(NamedTuple):
    """Images (N, 3, H, W), labels (N, max_labels, 5) as class cx cy w h, labels left out."""

    images: Tensor
    labels: Tensor
    cut: int


class Batches:
    """The loader's endless batches, moved to `device` as float32.

    A batch is fetched when it is needed, so that the time spent waiting for data reads true; pinned
    batches go to a CUDA device without blocking.
    """

    def __init__(self, loader: DataLoader[Any], device: torch.device) -> None:
        self.device = device
        self._counts_cuts = isinstance(loader.batch_sampler, ExactBatches)
        self._batches: Iterator[Any] = iter(loader)

    def take(self, count: int) -> list[Batch]:
        """Return the next `count` batches, still on the CPU.

        Raises:
            InputError: an image cannot be read.
        """
        return [self._next() for _ in range(count)]

    def move(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return a batch's images and labels on the device."""
        images, labels = (
            x.to(self.device, torch.float32, non_blocking=True)
            for x in (batch.images, batch.labels)
        )
        return images, labels

    def close(self) -> None:
        """Let the loading workers end by themselves, each of which cleans up behind itself."""
        self._batches = iter(())

    def _next(self) -> Batch:
        try:
            images, labels, *others = next(self._batches)
        except InputError as error:
            raise unwrapped(error) from None
        return Batch(images, labels, int(others[-1].sum()) if self._counts_cuts else 0)

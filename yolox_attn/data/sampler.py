"""Training samples as a function of seed and number: resumable, whatever the number of workers.

Batches are numbered from 0 over the whole run. Batch b of all ranks together holds the samples
with the counters b * batch_size ... (b + 1) * batch_size - 1; counter c shows image c % size of
the order of pass c // size over the data, augmented from the stream (seed, "sample", c).
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.utils.data import Dataset, IterableDataset, Sampler
from yolox.data import DataLoader, InfiniteSampler, YoloBatchSampler

from yolox_attn.seed import derive, seed_worker, stream

Address = tuple[bool, int, int]  # with mosaic or not, index of the image, counter of the sample


class ExactBatches(Sampler[list[Address]]):
    """Endless batches of one rank, each a function of seed and number.

    Args:
        size: images of the data set.
        batch_size: images of a batch over all ranks.
        seed: the run's.
        rank, ranks: whose part of each batch this is, and how many share it.
        mosaic: False: no batch comes with mosaic.

    Attributes:
        start: number of the first batch that an iteration yields.
        mosaic: turned off by YOLOX's `close_mosaic`, from the next batch on.
        mosaic_batches: batches from this number on come without mosaic; None: all follow `mosaic`.
            With a number, workers that fetch ahead of the step switch at the right batch.

    Raises:
        ValueError: no image, or a batch that the ranks cannot share equally.
    """

    def __init__(  # noqa: PLR0913 - what a distributed sampler takes
        self,
        size: int,
        batch_size: int,
        *,
        seed: int,
        rank: int = 0,
        ranks: int = 1,
        mosaic: bool = True,
    ) -> None:
        if size < 1:
            raise ValueError("no image to sample from")
        if batch_size < 1 or batch_size % ranks:
            raise ValueError(f"{ranks} ranks cannot share a batch of {batch_size} images equally")
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.rank, self.ranks = rank, ranks
        self.mosaic = self._ever_mosaic = mosaic
        self.start = 0
        self.mosaic_batches: int | None = None
        self._order: tuple[int, list[int]] = (-1, [])

    def batch(self, number: int) -> list[Address]:
        """Return this rank's part of batch `number`: (mosaic, index, counter) of each sample."""
        mosaic = self.mosaic
        if self.mosaic_batches is not None:
            mosaic = self._ever_mosaic and number < self.mosaic_batches
        first = number * self.batch_size
        counters = range(first + self.rank, first + self.batch_size, self.ranks)
        return [(mosaic, self._index(counter), counter) for counter in counters]

    def _index(self, counter: int) -> int:
        turn, place = divmod(counter, self.size)
        if self._order[0] != turn:
            generator = torch.Generator().manual_seed(derive(self.seed, "order", turn))
            self._order = (turn, torch.randperm(self.size, generator=generator).tolist())
        return self._order[1][place]

    def __iter__(self) -> Iterator[list[Address]]:
        number = self.start
        while True:
            yield self.batch(number)
            number += 1

    def __len__(self) -> int:
        """Return the batches of one pass over the data, the last one filled up from the next."""
        return -(-self.size // self.batch_size)


class SeededSamples(Dataset[tuple[Any, ...]]):
    """A data set of YOLOX's kind under addresses (mosaic, index, counter).

    An item is computed within the stream of its counter and gets one element more, the last: how
    many labels the transform's max_labels cut (0 where the transform does not say).
    """

    def __init__(self, dataset: Any, *, seed: int) -> None:
        self.dataset, self.seed = dataset, seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, address: Address) -> tuple[Any, ...]:
        mosaic, index, counter = address
        with stream(self.seed, "sample", counter):
            item = self.dataset[mosaic, index]
        return (*item, getattr(getattr(self.dataset, "preproc", None), "cut", 0))


def exact_loader(  # noqa: PLR0913 - the sampler's arguments and the loader's
    dataset: Any,
    batch_size: int,
    *,
    seed: int,
    workers: int,
    rank: int = 0,
    ranks: int = 1,
    mosaic: bool = True,
    collate_fn: Callable[[list[Any]], Any] | None = None,
) -> DataLoader:
    """Return YOLOX's loader over the `ExactBatches` of a data set that takes (mosaic, index) pairs.

    The batches do not depend on the number of `workers`, the processes that load them.

    Raises:
        ValueError: no image, or a batch that the ranks cannot share equally.
    """
    batches = ExactBatches(
        len(dataset), batch_size, seed=seed, rank=rank, ranks=ranks, mosaic=mosaic
    )
    return DataLoader(
        SeededSamples(dataset, seed=seed),
        batch_sampler=batches,
        num_workers=workers,
        collate_fn=collate_fn,
        worker_init_fn=seed_worker,
        # They share the images kept in memory; from Python 3.14 on others are the default.
        multiprocessing_context="fork" if workers and sys.platform == "linux" else None,
        # Its own: the loader draws at every start, which would move torch's global stream.
        generator=torch.Generator().manual_seed(derive(seed, "workers")),
    )


def make_exact(
    loader: Any, batch_size: int, *, seed: int, rank: int = 0, ranks: int = 1
) -> DataLoader | None:
    """Return a loader built in YOLOX's way with its batches made exact.

    Data set, workers and collate function stay. A loader that is exact already is returned as it
    is. None where the order is the user's own (another sampler, no shuffling, an iterable set):
    to replace it would train on something else.
    """
    batches: Any = getattr(loader, "batch_sampler", None)
    if isinstance(batches, ExactBatches):
        return loader
    if type(batches) is not YoloBatchSampler or type(batches.sampler) is not InfiniteSampler:
        return None
    dataset, sampler = loader.dataset, batches.sampler
    whole = sampler._shuffle and sampler._size == len(dataset)
    if not whole or isinstance(dataset, IterableDataset):
        return None
    return exact_loader(
        dataset,
        batch_size,
        seed=seed,
        workers=loader.num_workers,
        rank=rank,
        ranks=ranks,
        collate_fn=loader.collate_fn,
    )

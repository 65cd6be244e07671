"""Decoded images in memory that a process and the workers it forks have in common."""

import mmap
import multiprocessing
from collections.abc import Sequence
from typing import Any

import numpy as np
from loguru import logger

from yolox_attn.machine import free_memory

ABSENT, CLAIMED, PRESENT = range(3)  # what is known of an image


class SharedImages:
    """Images (H, W, 3), uint8, by index; each is stored once, by whichever process reads it first.

    The memory is mapped here, before workers are forked, and taken page by page as images come in.
    Which images have a place is settled at once, the first of the set as far as `limit` goes: each
    pass shows every image, so that throwing one out for another would gain nothing.

    A copy in another process that was not forked (a spawned worker) holds nothing.

    Args:
        sizes: (height, width) of each image.
        limit: bytes that all images together may take.
        reserve: bytes of the machine that stay free: no image is stored that would take from them,
            whatever else uses up memory meanwhile.

    Attributes:
        places: images that have a place.
    """

    def __init__(self, sizes: Sequence[tuple[int, int]], *, limit: int, reserve: int = 0) -> None:
        self._sizes, self._reserve = sizes, reserve
        lengths = 3 * np.array(sizes, dtype=np.int64).reshape(-1, 2).prod(axis=1)  # bytes
        self._ends = np.cumsum(lengths)
        self.places = int(np.searchsorted(self._ends, limit, side="right"))
        if not self.places:
            return
        try:
            self._pixels = _shared_bytes(int(self._ends[self.places - 1]))
            self._states = _shared_bytes(self.places)
            self._lock = multiprocessing.Lock()
        except OSError as error:  # a limit on the process's address space, no semaphores
            logger.debug("images are not kept in memory: {}", error)
            self.places = 0

    def get(self, index: int) -> np.ndarray | None:
        """Return a copy of an image, (H, W, 3); None where it is not stored."""
        if index >= self.places:
            return None
        with self._lock:  # whoever sees PRESENT sees the pixels too, on every processor
            present = self._states[index] == PRESENT
        return self._place(index).copy() if present else None

    def put(self, index: int, image: np.ndarray) -> None:
        """Store an image, if it has a place that is empty and the reserve stays untouched.

        One of another size than `sizes` says (a data set's own `load_image`) is not stored.
        """
        if index >= self.places or image.shape != (*self._sizes[index], 3):
            return
        if free_memory() - image.size < self._reserve:
            return
        with self._lock:
            if self._states[index] != ABSENT:
                return
            self._states[index] = CLAIMED
        self._place(index)[:] = image
        with self._lock:
            self._states[index] = PRESENT

    @property
    def stored(self) -> int:
        """How many images are stored."""
        return int((self._states == PRESENT).sum()) if self.places else 0

    def __reduce__(self) -> tuple[Any, ...]:
        return _without_places, ()

    def _place(self, index: int) -> np.ndarray:
        shape = (*self._sizes[index], 3)
        end = int(self._ends[index])
        return self._pixels[end - int(np.prod(shape)) : end].reshape(shape)


def _shared_bytes(length: int) -> np.ndarray:
    """Return zeros that processes forked later share; a page takes memory when it is written."""
    return np.frombuffer(mmap.mmap(-1, length), dtype=np.uint8)


def _without_places() -> SharedImages:
    return SharedImages([], limit=0)

"""The two ways to compute the AP of a class in many resamples: numpy's, and numba's where it is."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.errors import InputError
from yolox_attn.stats.compiled import class_ap_compiled, compiled_loops
from yolox_attn.stats.curves import Floats, class_ap
from yolox_attn.stats.tracks import Track


@dataclass(frozen=True)
class Engine:
    """How a class's AP is computed; every engine gives the same numbers to 1e-12."""

    name: str
    class_ap: Callable[[Track, NDArray[Any]], Floats]
    dtype: type  # of the weights that `class_ap` takes
    threads: int
    block: int = 64  # replicates held at once


def numpy_engine(threads: int | None = None) -> Engine:
    """Return the engine that is always there; by default a thread for each core."""
    return Engine("numpy", class_ap, np.float64, threads or cores())


def compiled_engine(threads: int | None = None) -> Engine:
    """Return numba's.

    Raises:
        InputError: numba is not there.
    """
    compiled_loops()
    return Engine("numba", class_ap_compiled, np.int64, threads or cores())


def best_engine() -> Engine:
    """Return numba's engine where numba works, else numpy's; the result says which it was."""
    try:
        return compiled_engine()
    except InputError:
        return numpy_engine()


def cores() -> int:
    """Return how many cores this process may use."""
    allowed = getattr(os, "sched_getaffinity", None)  # not on macOS and Windows
    return len(allowed(0)) if allowed else os.cpu_count() or 1

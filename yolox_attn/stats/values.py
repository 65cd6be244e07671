"""What statistics are given: arrays of finite numbers."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolox_attn.errors import InputError

NEGLIGIBLE = 1e-9  # AP points: below it a standard error is rounding, not noise
Floats = NDArray[np.float64]


def finite(values: ArrayLike, name: str) -> Floats:
    """Return an array of finite values; `name` begins the refusal of another."""
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise InputError(f"{name} hold a value that is not finite")
    return array


def seed_values(values: ArrayLike, least: int = 1) -> Floats:
    """Return one finite value for each seed, (S,); refuse fewer than `least`."""
    array = finite(values, "the values of the seeds")
    if array.ndim != 1 or array.size < least:
        raise InputError(f"needed is one value for each of {least} seeds or more, got {array}")
    return array

"""The exact sign-flip test: were the signs of the paired differences drawn by a fair coin?

Fisher, "The Design of Experiments", 1935, section 21; for paired seeds "When +1% Is Not Enough",
arXiv 2511.19794. It knows nothing of the noise of the test images.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolox_attn.errors import InputError

Floats = NDArray[np.float64]

MIN_SEEDS = 6  # with fewer the least p, 2 / 2^S, is above 5 %
MAX_SEEDS = 40  # 2^20 sums in each half: 16 MiB, a second
TIE = 1e-12  # of the sum of absolute differences: two sums this close are the same sum


def sign_flip_p(differences: ArrayLike) -> float:
    """Two-sided exact p: the share of the 2^S sign patterns with |sum| at least the observed one.

    All patterns are counted, without listing them: a sum over all seeds is a sum over the first
    half of them plus one over the second, and for each of the first the second ones that reach
    the observed sum are found in their sorted list.

    Args:
        differences: (S,) variant minus baseline of each seed; fewer than `MIN_SEEDS`
            cannot reach 5 %.

    Raises:
        InputError: no seed, more than `MAX_SEEDS`, or a value that is not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or not np.isfinite(values).all():
        raise InputError("the sign-flip test needs one finite difference for each seed")
    if not 1 <= values.size <= MAX_SEEDS:
        raise InputError(f"the sign-flip test takes 1 to {MAX_SEEDS} seeds, got {values.size}")
    observed, slack = abs(values.sum()), TIE * np.abs(values).sum()
    if observed <= slack:
        return 1.0
    first = _signed_sums(values[: values.size // 2])
    second = np.sort(_signed_sums(values[values.size // 2 :]))
    below = np.searchsorted(second, observed - slack - first, side="left")
    reaching = int((second.size - below).sum())
    return float(min(1.0, reaching / 2.0 ** (values.size - 1)))


def least_p(seeds: int) -> float:
    """The smallest p that this many seeds can give: 2 / 2^S."""
    return 2.0 ** (1 - seeds)


def _signed_sums(values: Floats) -> Floats:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums

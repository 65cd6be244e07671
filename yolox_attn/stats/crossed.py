"""The crossed bootstrap, beside the main interval: seeds and images are both drawn again.

Owen, "The Pigeonhole Bootstrap", Annals of Applied Statistics 1 (2007), 386-411; that it errs
towards wide intervals: Owen and Eckles, 2012, arXiv 1106.2125.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolox_attn.errors import InputError
from yolox_attn.stats.paired import require_share

Floats = NDArray[np.float64]


def image_replicates(values: ArrayLike, weights: ArrayLike) -> Floats:
    """Means over resampled images, for a measure that is a mean over images (AP is not).

    Args:
        values: (..., N, S) of each image and seed.
        weights: (R, N) how often each image stands in each resample.

    Returns:
        (..., R, S) weighted means.

    Raises:
        InputError: numbers of images that differ, or a resample without an image.
    """
    per_image = np.asarray(values, dtype=np.float64)
    counts = np.asarray(weights, dtype=np.float64)
    if per_image.ndim < 2 or counts.ndim != 2 or counts.shape[1] != per_image.shape[-2]:
        raise InputError(
            f"values (..., N, S) and weights (R, N) do not fit: {per_image.shape}, {counts.shape}"
        )
    totals = counts.sum(axis=1)
    if not (totals > 0).all():
        raise InputError("a resample holds no image")
    means: Floats = (counts / totals[:, None]) @ per_image
    return means


def crossed_replicates(replicates: ArrayLike, rng: np.random.Generator) -> Floats:
    """Mean differences with the seeds drawn again too, S of S with replacement in each replicate.

    Args:
        replicates: (R, S) differences of each image resample and seed.
        rng: draws the seeds.

    Returns:
        (R,), in the unit of `replicates`.

    Raises:
        InputError: not a table of at least one replicate and one seed, or a value not finite.
    """
    table = np.asarray(replicates, dtype=np.float64)
    if table.ndim != 2 or not table.size or not np.isfinite(table).all():
        raise InputError(f"replicates must be a finite table (R, S), got shape {table.shape}")
    drawn = rng.integers(table.shape[1], size=table.shape)
    means: Floats = np.take_along_axis(table, drawn, axis=1).mean(axis=1)
    return means


def crossed_interval(
    replicates: ArrayLike, rng: np.random.Generator, confidence: float = 0.95
) -> tuple[float, float]:
    """Percentile interval of the crossed bootstrap, in the unit of `replicates` (R, S).

    With few seeds it is too narrow where seeds dominate: shown beside the two-component interval,
    never instead of it.
    """
    require_share(confidence, "confidence")
    tail = (1 - confidence) / 2
    lower, upper = np.quantile(crossed_replicates(replicates, rng), [tail, 1 - tail])
    return float(lower), float(upper)

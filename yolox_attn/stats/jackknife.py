"""How much of a difference is owed to the drawn test images: the delete-one jackknife.

Each block of images is left out once, from every run alike. What the leaving out does to two runs
together is the images' alone; what it does to one of them is that run's too. So the covariance
between the seeds holds the noise method x image, and the variance of one seed that and seed x
image: Obuchowski and Rockette, Communications in Statistics 24 (1995), 285-308, readers being
seeds and cases images. The jackknife: Efron, "The Jackknife, the Bootstrap and Other Resampling
Plans", 1982.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from yolox_attn.errors import InputError
from yolox_attn.stats.values import Floats, finite

MOST_UNITS, BLOCKS = 2000, 1000  # above so many units, so many blocks are left out in turn


@dataclass(frozen=True)
class ImageNoise:
    """What the images add to the differences of S seeds: variances, in the unit squared.

    Args:
        shared: of what all seeds have in common (method x image), 0 at least; nan for one seed.
        of_one: of one seed, the shared part included.
        of_mean: of the mean over the seeds, the shared part included.
    """

    shared: Floats
    of_one: Floats
    of_mean: Floats


def draw_blocks(
    rng: np.random.Generator, images: int, groups: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.int64]:
    """Return the block of each image, (images,): its own, its group's, or one of `BLOCKS`.

    Args:
        rng: puts units together at random where there are more than `MOST_UNITS`.
        images: how many.
        groups: (images,) number of each image's group, from 0 without a gap.
    """
    units = np.arange(images) if groups is None else np.asarray(groups, dtype=np.int64)
    count = int(units.max()) + 1
    if count <= MOST_UNITS:
        return units
    block_of_unit = np.arange(count) % BLOCKS
    rng.shuffle(block_of_unit)
    return np.asarray(block_of_unit[units])


def leave_out_weights(blocks: NDArray[np.integer[Any]]) -> NDArray[np.int32]:
    """Return (G, images) weights: in each row one block has 0, the others 1."""
    kept = blocks != np.arange(int(blocks.max()) + 1)[:, None]
    return np.asarray(kept, dtype=np.int32)


def effective_number(blocks: NDArray[np.integer[Any]]) -> float:
    """Return how many equal blocks are worth these: (sum n)^2 / sum n^2, n images in each."""
    sizes = np.bincount(blocks).astype(np.float64)
    return float(sizes.sum() ** 2 / np.square(sizes).sum())


def image_noise(left_out: ArrayLike) -> ImageNoise:
    """Return the noise of the images from the differences with each block left out in turn.

    (G - 1)^2 / G times the covariance matrix of the S columns over the G replicates: the mean of
    its diagonal is one seed's variance, of the rest the shared one, of all the mean's.

    Args:
        left_out: (..., G, S) differences variant minus baseline, or values of single runs.

    Raises:
        InputError: fewer than two blocks, no seed, or a value that is not finite.
    """
    values = finite(left_out, "the differences with images left out")
    if values.ndim < 2 or values.shape[-2] < 2 or values.shape[-1] < 1:
        raise InputError(f"blocks left out must be (..., G >= 2, S >= 1), got {values.shape}")
    blocks, seeds = values.shape[-2:]
    scale = (blocks - 1) ** 2 / blocks
    of_one = scale * values.var(axis=-2, ddof=1).mean(axis=-1)
    of_mean = scale * values.mean(axis=-1).var(axis=-1, ddof=1)
    shared = np.full(of_one.shape, np.nan)
    if seeds > 1:  # S^2 of_mean is the sum of all elements, S of_one that of the diagonal
        shared = np.maximum((seeds * of_mean - of_one) / (seeds - 1), 0.0)
    return ImageNoise(shared, np.asarray(of_one), np.asarray(of_mean))

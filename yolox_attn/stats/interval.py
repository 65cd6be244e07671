"""Does the variant differ from its baseline? The two-component interval: noise of seeds, of images.

All functions take one study or an array of studies at once (leading axes), in AP points. The
combination of the two variances and its degrees of freedom are Satterthwaite's: "An Approximate
Distribution of Estimates of Variance Components", Biometrics Bulletin 2 (1946), 110-114.

Is the difference too small to matter? Two one-sided tests: Schuirmann, Journal of Pharmacokinetics
and Biopharmaceutics 15 (1987), 657-680. At level alpha it is the same as asking whether the
interval of confidence 1 - 2 alpha lies inside the margin.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from yolox_attn.errors import InputError

NEGLIGIBLE = 1e-9  # AP points: below it a standard error is rounding, not noise
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Paired:
    """Variant minus baseline in AP points, each field of the studies' shape.

    Args:
        difference: mean over the seeds.
        seed_error: standard error that the seeds give; infinite for one seed.
        image_error: standard error that the test images give.
        error: both together.
        freedom: degrees of freedom of `error`; nan where there is no interval.
        seeds, images: numbers behind each study; images counts groups where groups were resampled.
    """

    difference: Floats
    seed_error: Floats
    image_error: Floats
    error: Floats
    freedom: Floats
    seeds: int
    images: int


def two_component(differences: ArrayLike, image_error: ArrayLike, images: int) -> Paired:
    """Put the noise of seeds and the noise of images together.

    SE^2 = var(D_s) / S + SE_img^2, with SE^4 / (SE_seed^4 / (S - 1) + SE_img^4 / (N - 1)) degrees
    of freedom. One seed leaves the error infinite: nothing is known about seeds.

    Args:
        differences: (..., S) variant minus baseline of each seed.
        image_error: (...) standard error from the images, of the mean over these seeds.
        images: how many images (or groups of images) were resampled.

    Raises:
        InputError: no seed, fewer than two images, a value that is not finite, a negative error.
    """
    values = finite(differences, "the differences")
    from_images = finite(image_error, "the standard error of the images")
    if values.ndim < 1 or values.shape[-1] < 1:
        raise InputError("no seed in common: the comparison has no difference to judge")
    if images < 2:
        raise InputError(f"an interval needs at least 2 test images (or groups), got {images}")
    if (from_images < 0).any():
        raise InputError("the standard error of the images is negative")
    seeds = values.shape[-1]
    from_seeds = np.full(values.shape[:-1], np.inf)
    if seeds > 1:
        from_seeds = _rounded(values.std(axis=-1, ddof=1) / np.sqrt(seeds))
    from_images = np.broadcast_to(_rounded(from_images), from_seeds.shape)
    return Paired(
        difference=np.asarray(values.mean(axis=-1)),
        seed_error=from_seeds,
        image_error=from_images,
        error=np.hypot(from_seeds, from_images),
        freedom=freedom(from_seeds, from_images, seeds, images),
        seeds=seeds,
        images=images,
    )


def image_error(replicates: ArrayLike) -> Floats:
    """Standard error of the mean over seeds that the test images give, from the image bootstrap.

    Args:
        replicates: (..., R, S) differences variant minus baseline on R resamples of the images,
            the same resamples for every seed and for both sides.

    Returns:
        (...), in the unit of `replicates`.

    Raises:
        InputError: fewer than two replicates, or a value that is not finite.
    """
    values = finite(replicates, "the bootstrap replicates")
    if values.ndim < 2 or values.shape[-2] < 2 or values.shape[-1] < 1:
        raise InputError(f"replicates must be (..., R >= 2, S >= 1), got {values.shape}")
    return np.asarray(values.mean(axis=-1).std(axis=-1, ddof=1))


def freedom(seed_error: ArrayLike, image_error: ArrayLike, seeds: int, images: int) -> Floats:
    """Satterthwaite's degrees of freedom of the two parts together; nan where there is no noise."""
    from_seeds, from_images = np.square(seed_error), np.square(image_error)
    with np.errstate(invalid="ignore", divide="ignore"):
        parts = from_seeds**2 / max(seeds - 1, 0) + from_images**2 / (images - 1)
        return np.asarray((from_seeds + from_images) ** 2 / parts, dtype=np.float64)


def p_value(paired: Paired) -> Floats:
    """Two-sided p of "no difference", from the t of the two-component interval.

    1 where nothing can be said: one seed, or no noise at all (identical runs).
    """
    return np.where(_known(paired), 2 * _tail(paired, np.abs(paired.difference)), 1.0)


def interval(paired: Paired, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper end of the difference, AP points, unadjusted for the number of variants.

    The whole line where nothing can be said: one seed, or a difference with no noise to compare
    it with. The point 0 where the runs of both sides are identical.
    """
    require_share(confidence, "confidence")
    known = _known(paired)
    quantile = stats.t.ppf((1 + confidence) / 2, np.where(known, paired.freedom, 1.0))
    half = np.where(known, quantile * np.where(known, paired.error, 0.0), np.inf)
    half = np.where(_identical_seeds(paired), 0.0, half)
    return paired.difference - half, paired.difference + half


def image_interval(paired: Paired, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper end if these very checkpoints met new images: says nothing about the block.

    Retrained from other seeds they would differ by more than this shows.
    """
    require_share(confidence, "confidence")
    half = stats.t.ppf((1 + confidence) / 2, paired.images - 1) * paired.image_error
    return paired.difference - half, paired.difference + half


def equivalence_p(paired: Paired, margin: float) -> Floats:
    """The larger p of the two one-sided tests "difference <= -margin" and "difference >= margin".

    Below 0.05: the difference is smaller than the margin either way. 1 where nothing can be said
    (one seed, no noise), 0 where both sides are identical on every seed of several.

    Args:
        paired: from `two_component`, AP points.
        margin: the smallest effect worth having (SESOI), AP points.

    Raises:
        InputError: a margin that is not positive and finite.
    """
    require_margin(margin)
    p = _tail(paired, margin - np.abs(paired.difference))
    return np.where(_known(paired), p, np.where(_identical_seeds(paired), 0.0, 1.0))


def inside(interval: tuple[float, float], margin: float) -> bool:
    """Whether the whole interval lies strictly between -margin and +margin."""
    require_margin(margin)
    return -margin < interval[0] and interval[1] < margin


def identical(paired: Paired) -> NDArray[np.bool_]:
    """Whether both sides are the same to rounding, on every seed and every resample."""
    nothing = (paired.error == 0) | ((paired.seeds == 1) & (paired.image_error == 0))
    return np.asarray(nothing & (np.abs(paired.difference) <= NEGLIGIBLE))


def require_margin(margin: float) -> None:
    """Refuse a smallest effect worth having that is not a positive number."""
    if not (math.isfinite(margin) and margin > 0):
        raise InputError(f"the smallest effect worth having must be above 0 AP, got {margin}")


def require_share(value: float, name: str) -> None:
    """Refuse what is not strictly between 0 and 1, such as a confidence of 95."""
    if not 0 < value < 1:
        raise InputError(f"{name} must be between 0 and 1 (as 0.95, not 95), got {value}")


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


def _known(paired: Paired) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(paired.error) & (paired.error > 0))


def _identical_seeds(paired: Paired) -> NDArray[np.bool_]:
    return np.asarray(identical(paired) & (paired.error == 0))


def _tail(paired: Paired, distance: Floats) -> Floats:
    """Return the chance that the t of a study is above this distance; any number if not known."""
    known = _known(paired)
    score = distance / np.where(known, paired.error, 1.0)
    return np.asarray(stats.t.sf(score, np.where(known, paired.freedom, 1.0)))


def _rounded(error: Floats) -> Floats:
    return np.where(error <= NEGLIGIBLE, 0.0, error)

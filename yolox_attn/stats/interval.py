"""Does the variant differ from its baseline? The interval from the noise of seeds and of images.

The seeds' part of the error is var(D_s) / S; it holds the noise of the seed and of seed x image,
each once. The images' part is what the test set does to the difference whatever the seed, from the
jackknife. Their variance is Obuchowski and Rockette's (Communications in Statistics 24, 1995,
285-308; Hillis, Statistics in Medicine 26, 2007, 596-619), readers being seeds and cases images;
the quantile is Behrens's and Fisher's, which also holds where three seeds rule.

Is the difference too small to matter? Two one-sided tests: Schuirmann, Journal of Pharmacokinetics
and Biopharmaceutics 15 (1987), 657-680. At level alpha it is the same as asking whether the
interval of confidence 1 - 2 alpha lies inside the margin.

All functions take one study or an array of studies at once (leading axes), in AP points.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats import behrens_fisher
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.terms import require_margin, require_share
from yolox_attn.stats.values import NEGLIGIBLE, Floats, finite


@dataclass(frozen=True)
class Paired:
    """Variant minus baseline in AP points, each array of the studies' shape.

    Args:
        difference: mean over the seeds.
        seed_error: standard error that the seeds give; infinite for one seed.
        image_error: standard error that the test images give, whatever the seed; for one seed its
            own noise on these images is in it.
        checkpoint_error: standard error that the images give to the mean of these very runs.
        seeds: behind each study.
        images: effective number of images, or groups of them, behind each study.
    """

    difference: Floats
    seed_error: Floats
    image_error: Floats
    checkpoint_error: Floats
    seeds: int
    images: float

    @property
    def error(self) -> Floats:
        """Standard error of both parts together."""
        return np.asarray(np.hypot(self.seed_error, self.image_error))


def estimate(differences: ArrayLike, noise: ImageNoise, images: float) -> Paired:
    """Estimate the difference and both parts of its error.

    Args:
        differences: (..., S) variant minus baseline of each seed.
        noise: of the images, of these seeds' differences.
        images: effective number of images (or groups of them).

    Raises:
        InputError: no seed, fewer than two images, a value that is not finite.
    """
    values = finite(differences, "the differences")
    if values.ndim < 1 or values.shape[-1] < 1:
        raise InputError("no seed in common: the comparison has no difference to judge")
    if not images > 1:
        raise InputError(f"an interval needs at least 2 test images (or groups), got {images:g}")
    seeds = values.shape[-1]
    of_mean = finite(noise.of_mean, "the noise of the images")
    from_seeds, shared = np.full(values.shape[:-1], np.inf), of_mean
    if seeds > 1:
        from_seeds = _error(values.var(axis=-1, ddof=1) / seeds)
        shared = finite(noise.shared, "the noise of the images")
    return Paired(
        difference=np.asarray(values.mean(axis=-1)),
        seed_error=from_seeds,
        image_error=np.broadcast_to(_error(shared), from_seeds.shape),
        checkpoint_error=np.broadcast_to(_error(of_mean), from_seeds.shape),
        seeds=seeds,
        images=images,
    )


def p_value(paired: Paired) -> Floats:
    """Two-sided p of "no difference".

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
    quantile = behrens_fisher.quantile((1 - confidence) / 2, _scales(paired), _freedoms(paired))
    half = np.where(known, quantile, np.inf)
    half = np.where(_identical_seeds(paired), 0.0, half)
    return paired.difference - half, paired.difference + half


def image_interval(paired: Paired, confidence: float = 0.95) -> tuple[Floats, Floats]:
    """Lower and upper end if these very checkpoints met new images: says nothing about the block.

    Retrained from other seeds they would differ by more than this shows.
    """
    require_share(confidence, "confidence")
    half = stats.t.ppf((1 + confidence) / 2, paired.images - 1) * paired.checkpoint_error
    return paired.difference - half, paired.difference + half


def equivalence_p(paired: Paired, margin: float) -> Floats:
    """The larger p of the two one-sided tests "difference <= -margin" and "difference >= margin".

    Below 0.05: the difference is smaller than the margin either way. 1 where nothing can be said
    (one seed, no noise), 0 where both sides are identical on every seed of several.

    Args:
        paired: from `estimate`, AP points.
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
    of_seeds = 0.0 if paired.seeds == 1 else paired.seed_error
    nothing = (of_seeds + paired.checkpoint_error == 0) & (np.abs(paired.difference) <= NEGLIGIBLE)
    return np.asarray(nothing)


def _known(paired: Paired) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(paired.error) & (paired.error > 0))


def _identical_seeds(paired: Paired) -> NDArray[np.bool_]:
    return np.asarray(identical(paired) & (paired.error == 0))


def _scales(paired: Paired) -> tuple[Floats, Floats]:
    """Return both standard errors; any numbers where nothing is known."""
    known = _known(paired)
    return np.where(known, paired.seed_error, 1.0), np.where(known, paired.image_error, 1.0)


def _freedoms(paired: Paired) -> tuple[float, float]:
    return max(paired.seeds - 1.0, 1.0), paired.images - 1


def _tail(paired: Paired, distance: Floats) -> Floats:
    """Return the chance of more than this distance, without an effect; any number if not known."""
    return behrens_fisher.tail(distance, _scales(paired), _freedoms(paired))


def _error(variance: Floats) -> Floats:
    error = np.sqrt(variance)
    return np.where(error <= NEGLIGIBLE, 0.0, error)

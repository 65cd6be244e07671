"""How large is the noise, and where does it come from: seeds, images, or both together?

The model of a paired difference is D_s = effect + a + b_s + c_s: `a` is what the drawn images do to
both detectors whatever the seed, `b_s` what seed s does on any images, `c_s` what it does on these.
Moments as in Searle, Casella and McCulloch, "Variance Components", 1992, chapter 4.
"""

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import NEGLIGIBLE, Floats, finite, require_share, seed_values


@dataclass(frozen=True)
class Noise:
    """Standard deviations of one seed's difference, AP points, at the level of `images` images.

    Args:
        method_image: a, shared by all seeds; shrinks with images alone.
        seed: b, shrinks with seeds alone.
        seed_image: c, shrinks with both.
        images: the number of images (or groups) at which a and c are so large; None where images
            are taken as they are (a = c = 0).
    """

    method_image: float
    seed: float
    seed_image: float
    images: int | None

    def __post_init__(self) -> None:
        parts = (self.method_image, self.seed, self.seed_image)
        if not all(math.isfinite(part) and part >= 0 for part in parts):
            raise InputError(f"standard deviations must be finite and not negative, got {parts}")
        if self.images is None and (self.method_image or self.seed_image):
            raise InputError("noise of images needs the number of images it was measured on")
        if self.images is not None and self.images < 2:
            raise InputError(f"noise of images needs at least 2 of them, got {self.images}")


def seeds_only(sd: float) -> Noise:
    """Noise of seeds alone: `sd`, AP points, of the paired differences on one set of images."""
    return Noise(0.0, sd, 0.0, None)


def measured_noise(differences: ArrayLike, replicates: ArrayLike, images: int) -> Noise:
    """Split the noise of a study into its three parts; a part that comes out negative is 0.

    var(D_s) estimates b^2 + c^2; the image bootstrap's variance of one seed a^2 + c^2, and of the
    mean over S seeds a^2 + c^2 / S. With few seeds the parts are rough.

    Args:
        differences: (S,) variant minus baseline, AP points, S >= 2.
        replicates: (R, S) the same on R >= 2 resamples of the images.
        images: how many images (or groups) were resampled.
    """
    values, table = _values_and_table(differences, replicates)
    of_one = float(table.var(axis=0, ddof=1).mean())
    of_mean = float(table.mean(axis=1).var(ddof=1))
    both = max((of_one - of_mean) * values.size / (values.size - 1), 0.0)
    return Noise(
        method_image=_root(of_mean - both / values.size),
        seed=_root(float(values.var(ddof=1)) - both),
        seed_image=_root(both),
        images=images,
    )


def baseline_noise(values: ArrayLike, replicates: ArrayLike, images: int) -> Noise:
    """Noise of the difference of two unpaired runs of the baseline: what is known before any pair.

    Its variance is twice that of the runs; pairing by seed can only be hoped to lower it. What a
    block does to these images whatever the seed cannot be seen without the block: 0 here.

    Args:
        values: (S,) AP points of the baseline's runs, S >= 2.
        replicates: (R, S) the same on R >= 2 resamples of the images.
        images: how many images (or groups) were resampled.
    """
    runs, table = _values_and_table(values, replicates)
    own = table - table.mean(axis=1, keepdims=True)  # what all runs have in common cancels
    both = 2 * float(own.var(axis=0, ddof=1).sum()) / (runs.size - 1)
    return Noise(0.0, _root(2 * float(runs.var(ddof=1)) - both), _root(both), images)


def sd_interval(sd: float, runs: int, confidence: float = 0.95) -> tuple[float, float]:
    """Limits of a true standard deviation whose estimate from `runs` runs is `sd`, same unit.

    (runs - 1) s^2 / sigma^2 is chi-square with runs - 1 degrees of freedom, for normal values. From
    3 runs the limits are 0.52 and 6.3 times the estimate.

    Raises:
        InputError: fewer than two runs or a negative `sd`.
    """
    require_share(confidence, "confidence")
    if runs < 2 or not (math.isfinite(sd) and sd >= 0):
        raise InputError(f"a standard deviation of {sd} from {runs} runs has no interval")
    tail, freedom = (1 - confidence) / 2, runs - 1
    lower = math.sqrt(freedom / stats.chi2.isf(tail, freedom))
    upper = math.sqrt(freedom / stats.chi2.ppf(tail, freedom))
    return sd * lower, sd * upper


def _values_and_table(values: ArrayLike, replicates: ArrayLike) -> tuple[Floats, Floats]:
    """Return (S,) values and their (R, S) replicates; refuse fewer than 2 of either."""
    array, table = seed_values(values, 2), finite(replicates, "the bootstrap replicates")
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != array.size:
        raise InputError(f"replicates must be (R >= 2, {array.size}), got {table.shape}")
    return array, table


def _root(variance: float) -> float:
    root = math.sqrt(max(variance, 0.0))
    return root if root > NEGLIGIBLE else 0.0

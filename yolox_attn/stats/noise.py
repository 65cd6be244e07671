"""How large is the noise, and where does it come from: seeds, images, or both together?

The model of a paired difference is D_s = effect + a + b_s + c_s: `a` is what the drawn images do to
both detectors whatever the seed, `b_s` what seed s does on any images, `c_s` what it does on these.
Moments as in Searle, Casella and McCulloch, "Variance Components", 1992, chapter 4.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import NEGLIGIBLE, require_share


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
        replicates: (R, S) the same on R resamples of the images.
        images: how many images (or groups) were resampled.

    Raises:
        InputError: fewer than two seeds or replicates, or shapes that do not fit.
    """
    values = np.asarray(differences, dtype=np.float64)
    table = np.asarray(replicates, dtype=np.float64)
    seeds = values.size
    if values.ndim != 1 or seeds < 2:
        raise InputError(f"the noise of seeds needs at least 2 seeds, got {seeds}")
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != seeds:
        raise InputError(f"replicates must be (R >= 2, {seeds}), got {table.shape}")
    of_one = float(table.var(axis=0, ddof=1).mean())
    of_mean = float(table.mean(axis=1).var(ddof=1))
    both = max((of_one - of_mean) * seeds / (seeds - 1), 0.0)
    return Noise(
        method_image=_root(of_mean - both / seeds),
        seed=_root(float(values.var(ddof=1)) - both),
        seed_image=_root(both),
        images=images,
    )


def noise_floor(baseline: ArrayLike) -> float:
    """Expected standard deviation of paired differences before any pair exists: sqrt(2) s_seed.

    What two independent runs of the baseline differ by; pairing by seed can only be hoped to help.

    Args:
        baseline: (S,) AP points of the baseline's runs, S >= 2.

    Raises:
        InputError: fewer than two runs, or a value that is not finite.
    """
    values = np.asarray(baseline, dtype=np.float64)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        raise InputError("the noise floor needs the finite AP of at least 2 baseline runs")
    return float(math.sqrt(2) * values.std(ddof=1))


def baseline_noise(values: ArrayLike, replicates: ArrayLike, images: int) -> Noise:
    """Noise of the difference of two unpaired runs of the baseline: what is known before any pair.

    What a block does to these images whatever the seed cannot be seen without the block: 0 here.

    Args:
        values: (S,) AP points of the baseline's runs, S >= 2.
        replicates: (R, S) the same on R resamples of the images.
        images: how many images (or groups) were resampled.

    Raises:
        InputError: fewer than two runs or replicates, or shapes that do not fit.
    """
    sd = noise_floor(values)
    table = np.asarray(replicates, dtype=np.float64)
    runs = np.size(values)
    if table.ndim != 2 or table.shape[0] < 2 or table.shape[1] != runs:
        raise InputError(f"replicates must be (R >= 2, {runs}), got {table.shape}")
    own = table - table.mean(axis=1, keepdims=True)
    both = 2 * float(own.var(axis=0, ddof=1).sum()) / (runs - 1)
    return Noise(0.0, _root(sd**2 - both), _root(both), images)


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


def _root(variance: float) -> float:
    root = math.sqrt(max(variance, 0.0))
    return root if root > NEGLIGIBLE else 0.0

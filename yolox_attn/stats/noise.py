"""How large is the noise, and where does it come from: seeds, images, or both together?

The model of a paired difference is D_s = effect + a + b_s + c_s: `a` is what the drawn images do to
both detectors whatever the seed, `b_s` what seed s does on any images, `c_s` what it does on these.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.terms import require_share
from yolox_attn.stats.values import NEGLIGIBLE, seed_values

OUTLIER_RUNS = 8  # with fewer the usual distance is not known


@dataclass(frozen=True)
class Noise:
    """Standard deviations of one seed's difference, AP points, at the level of `images` images.

    Args:
        method_image: a, shared by all seeds; shrinks with images alone.
        seed: b, shrinks with seeds alone.
        seed_image: c, shrinks with both.
        images: the number of images (or groups) at which a and c are so large; None where images
            are taken as they are (a = c = 0).
        effective: how many equally large ones are worth as much; None: `images`.
    """

    method_image: float
    seed: float
    seed_image: float
    images: int | None
    effective: float | None = None

    def __post_init__(self) -> None:
        parts = (self.method_image, self.seed, self.seed_image)
        if not all(math.isfinite(part) and part >= 0 for part in parts):
            raise InputError(f"standard deviations must be finite and not negative, got {parts}")
        if self.images is None and (self.method_image or self.seed_image):
            raise InputError("noise of images needs the number of images it was measured on")
        if self.images is not None and self.images < 2:
            raise InputError(f"noise of images needs at least 2 of them, got {self.images}")

    def image_freedom(self, images: int) -> float:
        """Return the degrees of freedom of the images' part for so many images (or groups)."""
        share = (self.effective or images) / (self.images or images) if self.effective else 1.0
        return max(images * share - 1, 1.0)


def seeds_only(sd: float) -> Noise:
    """Noise of seeds alone: `sd`, AP points, of the paired differences on one set of images."""
    return Noise(0.0, sd, 0.0, None)


def measured_noise(
    differences: ArrayLike, of_images: ImageNoise, images: int, effective: float | None = None
) -> Noise:
    """Split the noise of a study into its three parts; a part that comes out negative is 0.

    var(D_s) estimates b^2 + c^2, the images' shared variance a^2, one seed's a^2 + c^2. With few
    seeds the parts are rough.

    Args:
        differences: (S,) variant minus baseline, AP points, S >= 2.
        of_images: from `image_noise` of the same differences with images left out.
        images: how many there are, or groups.
        effective: worth so many of equal size; None: `images`.
    """
    values = seed_values(differences, 2)
    shared, both = _parts(of_images)
    of_seeds = float(values.var(ddof=1)) - both
    return Noise(_root(shared), _root(of_seeds), _root(both), images, effective)


def baseline_noise(
    values: ArrayLike, of_images: ImageNoise, images: int, effective: float | None = None
) -> Noise:
    """Noise of the difference of two unpaired runs of the baseline: what is known before any pair.

    Its variance is twice that of the runs; pairing by seed can only be hoped to lower it. What a
    block does to these images whatever the seed cannot be seen without the block: 0 here.

    Args:
        values: (S,) AP points of the baseline's runs, S >= 2.
        of_images: from `image_noise` of the same runs with images left out.
        images: how many there are, or groups.
        effective: worth so many of equal size; None: `images`.
    """
    runs = seed_values(values, 2)
    _, own = _parts(of_images)  # what all runs have in common cancels
    of_seeds = 2 * (float(runs.var(ddof=1)) - own)
    return Noise(0.0, _root(of_seeds), _root(2 * own), images, effective)


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


def outliers(sides: Mapping[str, Mapping[int, float]]) -> list[tuple[str, int, float]]:
    """Return side, seed and distance of each run that is an outlier among its side's seeds.

    Farther than six times the standard deviation that the median of all such distances stands for
    (1.4826 MAD): a training that failed in its own way, or a value that was mistyped. The nearest
    run of each side, mostly the median itself, does not count in it: of three seeds it would be a
    third of all, and every other run would be an outlier.

    Args:
        sides: name -> seed -> AP points; none is an outlier among fewer than `OUTLIER_RUNS` runs.
    """
    distances = {
        name: {seed: value - float(np.median(list(runs.values()))) for seed, value in runs.items()}
        for name, runs in sides.items()
    }
    if sum(map(len, distances.values())) < OUTLIER_RUNS:
        return []
    usual = [far for side in distances.values() for far in sorted(map(abs, side.values()))[1:]]
    limit = 6 * 1.4826 * float(np.median(usual)) if usual else 0.0
    return [
        (name, seed, far)
        for name, side in distances.items()
        for seed, far in side.items()
        if abs(far) > limit > 0
    ]


def _parts(noise: ImageNoise) -> tuple[float, float]:
    """Return the variance that all seeds share and that of each alone, of at least 2 seeds."""
    shared, of_one = float(noise.shared), float(noise.of_one)
    if not np.isfinite([shared, of_one]).all():
        raise InputError("the noise of the images needs at least 2 seeds")
    return shared, max(of_one - shared, 0.0)


def _root(variance: float) -> float:
    root = math.sqrt(max(variance, 0.0))
    return root if root > NEGLIGIBLE else 0.0

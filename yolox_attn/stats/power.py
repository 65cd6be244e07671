"""What could a study of this size see, before it is run and after.

Power of the two-component t by the noncentral t distribution: Cohen, "Statistical Power Analysis
for the Behavioral Sciences", 1988, chapter 2. It is computed as a normal chance averaged over the
chi-square distribution of the reported error, which also serves where that error is larger than the
true one (noise of seed x image stands in both of its parts) and where scipy's nct gives nan.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats

from yolox_attn.errors import InputError
from yolox_attn.stats.equivalence import require_margin
from yolox_attn.stats.noise import Noise
from yolox_attn.stats.paired import Floats, freedom, require_share

MOST_SEEDS, MOST_IMAGES = 10_000, 10_000_000  # beyond it the answer is "no number"
_nodes, _weights = np.polynomial.legendre.leggauss(200)
SHARES, WEIGHTS = (_nodes + 1) / 2, _weights / 2  # quadrature over the quantiles of a distribution


@dataclass(frozen=True)
class Errors:
    """Standard errors of Dbar in AP points: the true one, the one a study reports, its freedom."""

    true: float
    reported: float
    freedom: float


def expected_errors(noise: Noise, seeds: int, images: int | None) -> Errors:
    """Return the errors that a study of so many seeds and images will have on average.

    Args:
        noise: of one seed's difference.
        seeds: at least 2.
        images: None for noise of seeds alone.

    Raises:
        InputError: fewer than 2 seeds or images, or noise of images without their number.
    """
    if seeds < 2:
        raise InputError(f"power needs at least 2 seeds, got {seeds}")
    shrink, enough = 0.0, 2  # enough: any number, where images bring no noise
    if noise.images is not None:
        if images is None or images < 2:
            raise InputError(f"power needs the number of images, at least 2, got {images}")
        shrink, enough = noise.images / images, images
    shared = noise.method_image**2 * shrink
    crossed = noise.seed_image**2 * shrink
    from_seeds = (noise.seed**2 + crossed) / seeds
    from_images = shared + crossed / seeds
    return Errors(
        true=math.sqrt(from_seeds + shared),
        reported=math.sqrt(from_seeds + from_images),
        freedom=float(freedom(math.sqrt(from_seeds), math.sqrt(from_images), seeds, enough)),
    )


def power(
    effect: float, noise: Noise, *, seeds: int, images: int | None = None, alpha: float = 0.05
) -> float:
    """Return the chance that the interval at `alpha`, two-sided, excludes 0 when `effect` is true.

    Args:
        effect: true difference, AP points.
        noise: of one seed's difference.
        seeds: of the study, at least 2.
        images: of the study; None for noise of seeds alone.
        alpha: divided by the number of variants for the first step of Holm.
    """
    require_share(alpha, "alpha")
    errors = expected_errors(noise, seeds, images)
    if errors.reported == 0:
        return float(effect != 0)
    half = stats.t.isf(alpha / 2, errors.freedom) * reported_errors(errors) / errors.true
    shift = effect / errors.true
    return float(WEIGHTS @ (stats.norm.cdf(shift - half) + stats.norm.cdf(-shift - half)))


def equivalence_power(effect: float, margin: float, errors: Errors, alpha: float = 0.05) -> float:
    """Return the chance that the interval of 1 - 2 alpha lies inside +-margin, `effect` being true.

    Phillips, "Power of the two one-sided tests procedure in bioequivalence", Journal of
    Pharmacokinetics and Biopharmaceutics 18 (1990), 137-144: the normal estimate, averaged over the
    chi-square distribution of its reported error.

    Args:
        effect: true difference, AP points.
        margin: the smallest effect worth having, AP points.
        errors: from `expected_errors`.
        alpha: of each of the two tests.
    """
    require_share(alpha, "alpha")
    require_margin(margin)
    if errors.reported == 0:
        return float(abs(effect) < margin)
    room = margin - stats.t.isf(alpha, errors.freedom) * reported_errors(errors)
    chance = stats.norm.cdf((room - effect) / errors.true)
    chance -= stats.norm.cdf((-room - effect) / errors.true)
    return float(WEIGHTS @ np.maximum(chance, 0.0))


def reported_errors(errors: Errors) -> Floats:
    """Quantiles, at `SHARES`, of the error that a study reports: root of a scaled chi-square."""
    quantiles = stats.chi2.ppf(SHARES, errors.freedom)
    return np.asarray(errors.reported * np.sqrt(quantiles / errors.freedom))


def detectable_effect(
    noise: Noise,
    *,
    seeds: int,
    images: int | None = None,
    alpha: float = 0.05,
    target: float = 0.8,
) -> float:
    """Return the smallest true effect, AP points, that is found with probability `target`."""
    require_share(target, "power")
    errors = expected_errors(noise, seeds, images)
    if errors.reported == 0:
        return 0.0

    def missing(effect: float) -> float:
        return power(effect, noise, seeds=seeds, images=images, alpha=alpha) - target

    high = errors.reported
    while missing(high) < 0:
        high *= 2
    return float(optimize.brentq(missing, 0.0, high)) if missing(0.0) < 0 else 0.0


def seeds_needed(
    effect: float,
    noise: Noise,
    *,
    images: int | None = None,
    alpha: float = 0.05,
    target: float = 0.8,
) -> int | None:
    """Return how many seeds find `effect` with probability `target` on so many images, at least 3.

    None where no number of seeds does: the images alone are too noisy.
    """
    require_margin(effect)
    return smallest(
        lambda seeds: power(effect, noise, seeds=seeds, images=images, alpha=alpha) >= target,
        3,
        MOST_SEEDS,
    )


def images_needed(
    effect: float, noise: Noise, *, seeds: int, alpha: float = 0.05, target: float = 0.8
) -> int | None:
    """Return how many images find `effect` with probability `target` with so many seeds.

    None where no number of images does: the seeds alone are too noisy.
    """
    require_margin(effect)
    return smallest(
        lambda images: power(effect, noise, seeds=seeds, images=images, alpha=alpha) >= target,
        2,
        MOST_IMAGES,
    )


def smallest(enough: Callable[[int], bool], start: int, most: int) -> int | None:
    """The smallest number from `start` to `most` that is enough; more is taken never to harm."""
    low, high = start - 1, start
    while not enough(high):
        if high >= most:
            return None
        low, high = high, min(2 * high, most)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high

"""What could a study of this size see, and what would settle an open case: seeds or images.

The images' part of the error is taken as it is on average; over the seeds' part, a scaled
chi-square, the normal chance is averaged. For seeds alone that is the noncentral t (Cohen,
"Statistical Power Analysis for the Behavioral Sciences", 1988, chapter 2).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from yolox_attn.errors import InputError
from yolox_attn.stats import behrens_fisher
from yolox_attn.stats.noise import Noise
from yolox_attn.stats.terms import require_margin, require_share
from yolox_attn.stats.values import Floats

TARGET = 0.8  # of verdicts: four times in five
MOST_SEEDS = 10_000  # beyond it the answer is "no number"
AFFORDABLE_SEEDS, AFFORDABLE_IMAGES = 30, 10  # seeds a side; times the images there are
DEGREE = 16  # of the polynomial through the quantiles of all ratios of the two parts
_nodes, _weights = np.polynomial.legendre.leggauss(200)
SHARES, WEIGHTS = (_nodes + 1) / 2, _weights / 2  # quadrature over the quantiles of a distribution


@dataclass(frozen=True)
class Errors:
    """Standard errors of Dbar in AP points that a study has on average.

    Args:
        seeds: S, at least 2.
        seed_error, image_error: as in `Paired`; image_freedom: degrees of freedom of the latter.
    """

    seeds: int
    seed_error: float
    image_error: float
    image_freedom: float = math.inf

    @property
    def true(self) -> float:
        """Of both parts together: here they are known, not estimated."""
        return math.hypot(self.seed_error, self.image_error)


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
    if noise.images is None:
        return Errors(seeds, noise.seed / math.sqrt(seeds), 0.0)
    if images is None or images < 2:
        raise InputError(f"power needs the number of images, at least 2, got {images}")
    shrink = math.sqrt(noise.images / images)
    return Errors(
        seeds,
        math.hypot(noise.seed, noise.seed_image * shrink) / math.sqrt(seeds),
        noise.method_image * shrink,
        noise.image_freedom(images),
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
    if errors.true == 0:
        return float(effect != 0)
    return _found(effect, errors, half_widths(errors, alpha / 2))


def _found(effect: float, errors: Errors, halves: Floats) -> float:
    """Return the chance that |Dbar| exceeds the interval's half width."""
    shift, half = effect / errors.true, halves / errors.true
    return float(WEIGHTS @ (stats.norm.cdf(shift - half) + stats.norm.cdf(-shift - half)))


def equivalence_power(effect: float, margin: float, errors: Errors, alpha: float = 0.05) -> float:
    """Return the chance that the interval of 1 - 2 alpha lies inside +-margin, `effect` being true.

    Phillips, "Power of the two one-sided tests procedure in bioequivalence", Journal of
    Pharmacokinetics and Biopharmaceutics 18 (1990), 137-144: the normal estimate, averaged over the
    distribution of its reported error.

    Args:
        effect: true difference, AP points.
        margin: the smallest effect worth having, AP points.
        errors: from `expected_errors`.
        alpha: of each of the two tests.
    """
    require_share(alpha, "alpha")
    require_margin(margin)
    if errors.true == 0:
        return float(abs(effect) < margin)
    room = margin - half_widths(errors, alpha)
    chance = stats.norm.cdf((room - effect) / errors.true)
    chance -= stats.norm.cdf((-room - effect) / errors.true)
    return float(WEIGHTS @ np.maximum(chance, 0.0))


def half_widths(errors: Errors, tail: float) -> Floats:
    """Return the half widths of the interval at the quantiles `SHARES` of the seeds' error.

    Args:
        errors: not both 0.
        tail: beyond each end of the interval.
    """
    freedom = errors.seeds - 1
    reported = errors.seed_error * np.sqrt(stats.chi2.ppf(SHARES, freedom) / freedom)
    if errors.image_error == 0:
        return np.asarray(reported * stats.t.isf(tail, freedom))
    quantile = _quantile_by_angle(tail, (freedom, min(errors.image_freedom, 1e6)))
    angles = np.arctan2(reported, errors.image_error)
    return np.asarray(quantile(angles) * np.hypot(reported, errors.image_error))


@lru_cache(maxsize=1000)
def _quantile_by_angle(tail: float, freedoms: tuple[float, float]) -> np.polynomial.Chebyshev:
    """Return the quantile as a function of the angle whose tangent is seeds' by images' error.

    For errors of 1 together. A polynomial through 17 angles: off by 0.002 at most.
    """

    def quantile(angle: Floats) -> Floats:
        return behrens_fisher.quantile(tail, (np.sin(angle), np.cos(angle)), freedoms)

    polynomial = np.polynomial.Chebyshev.interpolate(quantile, DEGREE, [0.0, math.pi / 2])
    assert isinstance(polynomial, np.polynomial.Chebyshev)
    return polynomial


def detectable_effect(
    noise: Noise,
    *,
    seeds: int,
    images: int | None = None,
    alpha: float = 0.05,
    target: float = TARGET,
) -> float:
    """Return the smallest true effect, AP points, that is found with probability `target`."""
    require_share(target, "power")
    require_share(alpha, "alpha")
    errors = expected_errors(noise, seeds, images)
    if errors.true == 0:
        return 0.0
    halves = half_widths(errors, alpha / 2)

    def missing(effect: float) -> float:
        return _found(effect, errors, halves) - target

    high = errors.true
    while missing(high) < 0:
        high *= 2
    return float(optimize.brentq(missing, 0.0, high)) if missing(0.0) < 0 else 0.0


def seeds_needed(
    effect: float,
    noise: Noise,
    *,
    images: int | None = None,
    alpha: float = 0.05,
    target: float = TARGET,
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


@dataclass(frozen=True)
class Need:
    """What finds one effect four times in five; numbers in all, None where no affordable one does.

    Args:
        seeds: with the same images; images: of the same kind, with the same seeds, asked for only
            where no affordable number of seeds would do.
    """

    seeds: int | None
    images: int | None = None


@dataclass(frozen=True)
class Settling:
    """What would settle an open case.

    Args:
        seen: for an effect as large as the one measured; None where that is 0.
        sesoi: for the smallest effect worth having.
        affordable: effect, AP points, that `AFFORDABLE_SEEDS` find on the images there are.
    """

    seen: Need | None
    sesoi: Need
    affordable: float


@dataclass(frozen=True)
class Question:
    """What a study is to settle, in AP points.

    Args:
        difference: the one measured.
        sesoi: the smallest effect worth having.
        alpha: of the study.
        family: how many variants share it; the first step of Holm is planned for.
    """

    difference: float
    sesoi: float
    alpha: float = 0.05
    family: int = 1

    def __post_init__(self) -> None:
        require_margin(self.sesoi)
        require_share(self.alpha, "alpha")
        if self.family < 1 or not math.isfinite(self.difference):
            raise InputError(f"no question to settle: {self}")


def settle(question: Question, noise: Noise, seeds: int, images: int | None) -> Settling | None:
    """Find what a new study needs to find the effect seen, and the smallest worth having.

    Args:
        question: the measured difference and what would be worth having.
        noise: as measured in the study; rough with few seeds, and so is the answer.
        seeds: that the study had, at least 2.
        images: that it had; None where images bring no noise.

    Returns:
        None without any noise: there is nothing to plan from.
    """
    alpha = question.alpha / question.family
    if expected_errors(noise, seeds, images).true == 0:
        return None

    def found(effect: float, seeds: int, images: int | None) -> bool:
        return power(effect, noise, seeds=seeds, images=images, alpha=alpha) >= TARGET

    def need(effect: float) -> Need:
        first = max(seeds + 1, 3)
        enough = smallest(lambda n: found(effect, n, images), first, max(AFFORDABLE_SEEDS, first))
        if enough is not None or images is None or noise.images is None or seeds < 3:
            return Need(enough)
        most = AFFORDABLE_IMAGES * images
        return Need(None, smallest(lambda n: found(effect, seeds, n), images + 1, most))

    many = max(seeds, AFFORDABLE_SEEDS)
    seen = abs(question.difference)
    return Settling(
        seen=need(seen) if seen > 0 else None,
        sesoi=need(question.sesoi),
        affordable=detectable_effect(noise, seeds=many, images=images, alpha=alpha),
    )

"""What could a study of this size see, and what would settle an open case: seeds, images, both.

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
from yolox_attn.stats.interval import Floats, freedom, require_margin, require_share
from yolox_attn.stats.noise import Noise

TARGET = 0.8  # of verdicts: four times in five
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
    target: float = TARGET,
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
class Settling:
    """Numbers in all, not in addition; None where that alone would never be enough.

    Args:
        seeds: with the same images.
        images: of the same kind, with the same seeds.
        both: seeds and images, each times the same factor; None where one alone is enough or not
            even both are.
    """

    seeds: int | None
    images: int | None
    both: tuple[int, int] | None


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


def settled(question: Question, noise: Noise, seeds: int, images: int | None) -> bool:
    """Whether a study of this size comes to a verdict four times in five.

    Both if the true difference is the one measured (found, or shown to be too small), and if it is
    the smallest effect worth having (found).
    """
    alpha, sesoi = question.alpha / question.family, question.sesoi
    errors = expected_errors(noise, seeds, images)
    if errors.reported == 0:  # no noise to compare a difference with: nothing to plan from
        return False
    if power(sesoi, noise, seeds=seeds, images=images, alpha=alpha) < TARGET:
        return False
    measured = question.difference
    return (
        power(measured, noise, seeds=seeds, images=images, alpha=alpha) >= TARGET
        or equivalence_power(measured, sesoi, errors, question.alpha) >= TARGET
    )


def settle(question: Question, noise: Noise, seeds: int, images: int | None) -> Settling:
    """Find what a repeated study needs for a verdict, more than the `seeds` and `images` it had.

    Args:
        question: the measured difference and what would be worth having.
        noise: as measured in the study; rough with few seeds, and so is the answer.
        seeds: that the study had, at least 2.
        images: that it had; None where images bring no noise.
    """
    first = max(seeds + 1, 3)
    more_seeds = smallest(lambda n: settled(question, noise, n, images), first, MOST_SEEDS)
    if images is None or noise.images is None:
        return Settling(more_seeds, None, None)
    had, more_images = images, None
    if seeds > 2:  # with two there is no verdict, whatever the images
        most = max(MOST_IMAGES, had + 1)
        more_images = smallest(lambda n: settled(question, noise, seeds, n), had + 1, most)
    if more_seeds or more_images:
        return Settling(more_seeds, more_images, None)

    def both(number: int) -> tuple[int, int]:
        return number, math.ceil(had * number / seeds)

    number = smallest(lambda n: settled(question, noise, *both(n)), first, MOST_SEEDS)
    return Settling(None, None, None if number is None else both(number))

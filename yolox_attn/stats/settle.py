"""What would settle an open case: more seeds, more images, or both."""

import math
from dataclasses import dataclass

from yolox_attn.errors import InputError
from yolox_attn.stats.equivalence import require_margin
from yolox_attn.stats.noise import Noise
from yolox_attn.stats.paired import require_share
from yolox_attn.stats.power import (
    MOST_IMAGES,
    MOST_SEEDS,
    equivalence_power,
    expected_errors,
    power,
    smallest,
)

TARGET = 0.8  # a verdict four times in five


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
    if errors.reported == 0:  # no noise to hold a difference against: nothing to plan from
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
        question: the measured difference and what is asked of it.
        noise: as measured in the study; rough with few seeds, and so is the answer.
        seeds: that the study had, at least 2.
        images: that it had; None where images bring no noise.
    """
    more_seeds = smallest(
        lambda number: settled(question, noise, number, images), max(seeds + 1, 3), MOST_SEEDS
    )
    if images is None or noise.images is None:
        return Settling(seeds=more_seeds, images=None, both=None)
    more_images = smallest(
        lambda number: seeds > 2 and settled(question, noise, seeds, number),
        images + 1,
        max(MOST_IMAGES, images + 1),
    )
    both = None
    if more_seeds is None and more_images is None:
        both = _both(question, noise, seeds, images)
    return Settling(seeds=more_seeds, images=more_images, both=both)


def _both(question: Question, noise: Noise, seeds: int, images: int) -> tuple[int, int] | None:
    """The smallest common factor, in steps of one seed, that settles it."""

    def pair(number: int) -> tuple[int, int]:
        return number, math.ceil(images * number / seeds)

    number = smallest(
        lambda seeds_: settled(question, noise, *pair(seeds_)), max(seeds + 1, 3), MOST_SEEDS
    )
    return None if number is None else pair(number)

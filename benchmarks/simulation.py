"""How often is the procedure wrong? Studies drawn from known noise, judged as real ones are.

A study's differences are D_s = effect + a + b_s + c_s (see `Noise`), normal throughout. What its
jackknife of the images says is drawn too: for a measure that is a mean over N images it is a
Wishart matrix with N - 1 degrees of freedom, of which two chi-squares are all that is used. From
there on the functions judge that judge real studies.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import Paired, equivalence_p, estimate, image_interval, p_value
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.noise import Noise
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.values import Floats
from yolox_attn.stats.verdict import Word

IMAGES = 300
REGIMES = {  # standard deviations at the level of the mean over 300 images, AP points
    "seeds dominate": Noise(0.15, 0.6, 0.3, IMAGES),
    "balanced": Noise(0.4, 0.4, 0.3, IMAGES),
    "images dominate": Noise(0.6, 0.2, 0.3, IMAGES),
}
MIXTURES = [  # shares of the variance: method x image, seed, seed x image
    *((1, 0, 0), (0, 1, 0), (0, 0, 1), (1 / 3, 1 / 3, 1 / 3)),
    *(
        pair
        for x, y in ((0.1, 0.9), (0.5, 0.5), (0.9, 0.1))
        for pair in ((x, y, 0), (x, 0, y), (0, x, y))
    ),
]
GRID = list(product(MIXTURES, (3, 4, 5, 8), (12, 30, 100)))  # mixture, seeds, images
BLOCK = 5000  # studies drawn at once


@dataclass(frozen=True)
class Setting:
    """One cell of the table.

    Args:
        noise: its `images` are those of the study.
        seeds: S, a side.
        effect: true difference, AP points; 0 asks for false positives.
        sesoi: the smallest effect worth having, AP points.
    """

    noise: Noise
    seeds: int
    effect: float = 0.0
    sesoi: float = 0.5

    def __post_init__(self) -> None:
        if self.noise.images is None or self.seeds < 1:
            raise InputError(f"nothing can be drawn from {self}")


@dataclass(frozen=True)
class Tally:
    """What so many drawn studies say.

    Args:
        studies: how many.
        words: of these, how many got each word.
        images_only: in how many the images' noise of the mean over seeds left 0 out; for one seed
            this is the usual "one run each".
        paired_t: in how many the t test over the seeds had p < 0.05; 0 for one seed.
        two_component: in how many the first edition's interval left 0 out; 0 for one seed.
    """

    studies: int
    words: dict[Word, int]
    images_only: int
    paired_t: int
    two_component: int

    def claims(self) -> int:
        """Return how many say helps or hurts: without an effect, how many are wrong."""
        return self.words[Word.HELPS] + self.words[Word.HURTS]

    def claim_limits(self, confidence: float = 0.95) -> tuple[float, float]:
        """Clopper-Pearson limits of the rate of helps or hurts."""
        return clopper_pearson(self.claims(), self.studies, confidence)


def simulate(
    setting: Setting,
    studies: int,
    rng: np.random.Generator,
    progress: Callable[[int], object] | None = None,
) -> Tally:
    """Draw and judge `studies` studies of one variant each.

    Args:
        setting: the noise, the size and the true effect.
        studies: how many.
        rng: draws everything.
        progress: called with the number done since the last call.
    """
    counts = dict.fromkeys(Word, 0)
    others = np.zeros(3, dtype=int)
    for start in range(0, studies, BLOCK):
        block = min(BLOCK, studies - start)
        values, noise = draw_studies(setting, block, rng)
        for word, count in words(estimate(values, noise, setting.noise.images or 0), setting.sesoi):
            counts[word] += count
        others += [_count(claims) for claims in other_claims(values, noise, setting)]
        if progress is not None:
            progress(block)
    return Tally(studies, counts, *others.tolist())


def draw_studies(
    setting: Setting, studies: int, rng: np.random.Generator
) -> tuple[Floats, ImageNoise]:
    """Draw (studies, S) differences, AP points, and what the jackknife says of their images.

    The matrix has the variance S a^2 + c^2 along the mean over the seeds and c^2 across it.
    """
    noise, seeds = setting.noise, setting.seeds
    values = rng.normal(setting.effect, noise.seed, (studies, seeds))
    values += rng.normal(0.0, noise.seed_image, (studies, seeds))
    values += rng.normal(0.0, noise.method_image, (studies, 1))
    freedom = (noise.images or 0) - 1
    variance = seeds * noise.method_image**2 + noise.seed_image**2
    along: Floats = variance * rng.chisquare(freedom, studies) / freedom
    across = np.zeros(studies)
    if seeds > 1:
        across = noise.seed_image**2 * rng.chisquare((seeds - 1) * freedom, studies) / freedom
    of_one, of_mean = (along + across) / seeds, along / seeds
    shared = np.maximum((seeds * of_mean - of_one) / max(seeds - 1, 1), 0.0)
    return values, ImageNoise(shared, of_one, of_mean)


def words(paired: Paired, sesoi: float) -> list[tuple[Word, int]]:
    """Count the words on an array of studies, each a family of its own, of three seeds or more."""
    if paired.seeds < 3:
        return [(Word.CANNOT_TELL, paired.difference.size)]
    claims, small = p_value(paired) < 0.05, equivalence_p(paired, sesoi) < 0.05
    return [
        (Word.HELPS, _count(claims & (paired.difference > 0))),
        (Word.HURTS, _count(claims & (paired.difference < 0))),
        (Word.NO_DIFFERENCE, _count(~claims & small)),
        (Word.CANNOT_TELL, _count(~claims & ~small)),
    ]


def other_claims(values: Floats, noise: ImageNoise, setting: Setting) -> list[ArrayLike]:
    """Whether the images alone, the paired t and the two-component t claim an effect: 3 arrays."""
    images, seeds = setting.noise.images or 0, setting.seeds
    lower, upper = image_interval(estimate(values, noise, images))
    of_images = (lower > 0) | (upper < 0)
    if seeds == 1:
        return [of_images, False, False]
    difference = np.abs(values.mean(axis=1))
    of_seeds = stats.t.isf(0.025, seeds - 1) * values.std(axis=1, ddof=1) / np.sqrt(seeds)
    half = two_component_half_widths(values, noise, images)
    return [of_images, difference > of_seeds, difference > half]


def two_component_half_widths(values: Floats, noise: ImageNoise, images: int) -> Floats:
    """Return the half widths, (studies,), of the first edition's 95 % intervals.

    The variance over the seeds and that of the mean over resampled images added up, in both of
    which seed x image stands, with Satterthwaite's degrees of freedom.
    """
    seeds = values.shape[1]
    from_seeds = values.var(axis=1, ddof=1) / seeds
    both = from_seeds + noise.of_mean
    freedom = both**2 / (from_seeds**2 / (seeds - 1) + noise.of_mean**2 / (images - 1))
    return np.asarray(stats.t.isf(0.025, freedom) * np.sqrt(both))


def found_by_the_first_edition(
    setting: Setting, studies: int, rng: np.random.Generator, target: float = 0.8
) -> float:
    """Return the true effect, AP points, that the two-component t finds with that chance."""
    values, noise = draw_studies(setting, studies, rng)
    half = two_component_half_widths(values, noise, setting.noise.images or 0)
    return float(np.quantile(half - values.mean(axis=1), target))


def mixture(shares: tuple[float, float, float], images: int) -> Noise:
    """Return the noise of these shares, of a variance of 1 in all."""
    method_image, seed, seed_image = (float(share) ** 0.5 for share in shares)
    return Noise(method_image, seed, seed_image, images)


def _count(claims: ArrayLike) -> int:
    return int(np.count_nonzero(claims))

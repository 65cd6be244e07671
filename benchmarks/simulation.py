"""How often is the procedure wrong? Studies drawn from known noise, judged as real ones are.

A drawn study gives every image and seed a value whose mean over images is D_s = effect + a + b_s +
c_s (see `Noise`). From there on nothing is simulated: the images are resampled, and the functions
that judge a study judge it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import (
    Floats,
    Paired,
    image_error,
    image_interval,
    p_value,
    two_component,
)
from yolox_attn.stats.multiple_testing import holm
from yolox_attn.stats.noise import Noise
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.verdict import Word, decide, evidence

IMAGES = 300
REGIMES = {  # standard deviations at the level of the mean over 300 images, AP points
    "seeds dominate": Noise(0.15, 0.6, 0.3, IMAGES),
    "balanced": Noise(0.4, 0.4, 0.3, IMAGES),
    "images dominate": Noise(0.6, 0.2, 0.3, IMAGES),
}
BLOCK = 50  # studies that share one drawing of the image resamples


@dataclass(frozen=True)
class Setting:
    """One cell of the table.

    Args:
        noise: its `images` are those of the study.
        seeds: S, a side.
        effect: true difference, AP points; 0 asks for false positives.
        sesoi: the smallest effect worth having, AP points.
        replicates: R of the image bootstrap.
    """

    noise: Noise
    seeds: int
    effect: float = 0.0
    sesoi: float = 0.5
    replicates: int = 2000

    def __post_init__(self) -> None:
        if self.noise.images is None or self.seeds < 1 or self.replicates < 2:
            raise InputError(f"nothing can be drawn from {self}")


@dataclass(frozen=True)
class Tally:
    """What so many drawn studies say.

    Args:
        studies: how many.
        words: of these, how many got each word.
        images_only: in how many the image bootstrap of the mean over seeds left 0 out; for one
            seed this is the usual "one run each".
        paired_t: in how many the t test over the seeds had p < 0.05; 0 for one seed.
    """

    studies: int
    words: dict[Word, int]
    images_only: int
    paired_t: int

    def claims(self) -> int:
        """Return how many say helps or hurts: without an effect, how many are wrong."""
        return self.words[Word.HELPS] + self.words[Word.HURTS]

    def claim_limits(self) -> tuple[float, float]:
        """95 % Clopper-Pearson limits of the rate of helps or hurts."""
        return clopper_pearson(self.claims(), self.studies)


def simulate(
    setting: Setting,
    studies: int,
    rng: np.random.Generator,
    progress: Callable[[int], None] | None = None,
) -> Tally:
    """Draw and judge `studies` studies.

    Args:
        setting: the noise, the size and the true effect.
        studies: how many.
        rng: draws everything.
        progress: called with the number done since the last call.
    """
    counts = dict.fromkeys(Word, 0)
    images_only = paired_t = 0
    for start in range(0, studies, BLOCK):
        block = min(BLOCK, studies - start)
        values = draw_studies(setting, block, rng)
        paired = judge(values, _resamples(setting, rng))
        for word in words(paired, setting.sesoi):
            counts[word] += 1
        lower, upper = image_interval(paired)
        images_only += int(np.count_nonzero((lower > 0) | (upper < 0)))
        if setting.seeds > 1:
            of_seeds = stats.ttest_1samp(values.mean(axis=1), 0.0, axis=1).pvalue
            paired_t += int(np.count_nonzero(of_seeds < 0.05))
        if progress is not None:
            progress(block)
    return Tally(studies, counts, images_only, paired_t)


def draw_studies(setting: Setting, studies: int, rng: np.random.Generator) -> Floats:
    """Draw (studies, N, S) differences of each image and seed, AP points, normal throughout."""
    noise, images, seeds = setting.noise, setting.noise.images or 0, setting.seeds
    per_image = np.sqrt(images)  # a mean over N images shrinks their noise to the level of `Noise`
    shared = rng.normal(0.0, noise.method_image * per_image, (studies, images, 1))
    of_seeds = rng.normal(setting.effect, noise.seed, (studies, 1, seeds))
    crossed = rng.normal(0.0, noise.seed_image * per_image, (studies, images, seeds))
    values: Floats = shared + of_seeds + crossed
    return values


def judge(values: Floats, weights: Floats) -> Paired:
    """Judge drawn studies (studies, N, S) on the image resamples `weights` (R, N)."""
    replicates = image_replicates(values, weights)
    return two_component(values.mean(axis=-2), image_error(replicates), values.shape[-2])


def image_replicates(values: Floats, weights: Floats) -> Floats:
    """Means over resampled images, for a measure that is a mean over images (AP is not).

    Args:
        values: (..., N, S) of each image and seed.
        weights: (R, N) how often each image stands in each resample.

    Returns:
        (..., R, S) weighted means.
    """
    means: Floats = (weights / weights.sum(axis=1, keepdims=True)) @ values
    return means


def words(paired: Paired, sesoi: float) -> list[Word]:
    """The word on each of an array of studies, each a family of its own."""
    names = ("difference", "seed_error", "image_error", "error", "freedom")
    result = []
    for number, p in enumerate(p_value(paired)):
        one = replace(paired, **{name: getattr(paired, name)[number] for name in names})
        result.append(decide(evidence(one, float(holm([p])[0])), sesoi=sesoi).word)
    return result


def _resamples(setting: Setting, rng: np.random.Generator) -> Floats:
    images = setting.noise.images or 0
    drawn = rng.multinomial(images, np.full(images, 1 / images), setting.replicates)
    return drawn.astype(np.float64)

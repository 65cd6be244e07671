"""Studies on drawn detections: two detectors, as good as each other or not, judged as real ones.

`simulation` draws AP values; here boxes are drawn, and everything behind them is what judges a real
study: truth, matching, AP of the resamples, verdict. Nothing is known of the noise in advance, and
AP is no mean over images, so this compares what the formulas are built on with the thing itself.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from drawn_boxes import SHARES, draw_detections, draw_truth
from numpy.typing import NDArray
from scipy import stats
from simulation import Tally

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.jackknife import draw_blocks, effective_number
from yolox_attn.stats.judge import judge
from yolox_attn.stats.measured import Measured, Side, TestSet, images_of_classes, measure
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import Judgement, Word


@dataclass(frozen=True)
class Drawing:
    """What a study on drawn detections is like.

    How sure a run is of an object decides whether it is found, how closely, and its score. It is a
    sum; the parts are standard deviations on a scale on which easy and hard objects differ by 1.

    Args:
        images, seeds: size of the study; replicates: resamples of its images.
        classes: equally frequent ones; None: four, of which one is rare.
        groups: of images that belong together, the largest a fifth of all; None: each its own.
        effect: added for the variant; 0 for two detectors as good as each other.
        difficulty: of an image, the same for every run.
        method_image: what a detector makes of an image, whatever the seed.
        seed_effect: of a run, on all images.
        seed_image: of a run on an image, and on an object.
    """

    images: int = 100
    seeds: int = 3
    replicates: int = 500
    classes: int | None = None
    groups: int | None = None
    effect: float = 0.0
    difficulty: float = 1.0
    method_image: float = 0.3
    seed_effect: float = 0.1
    seed_image: float = 0.2

    def __post_init__(self) -> None:
        parts = (self.difficulty, self.method_image, self.seed_effect, self.seed_image)
        if self.images < 10 or self.seeds < 1 or min(parts) < 0:
            raise InputError(f"nothing can be drawn from {self}")


DRAWINGS = {
    "seeds dominate": Drawing(method_image=0.1, seed_effect=0.4),
    "balanced": Drawing(method_image=0.5, seed_effect=0.2),
    "images dominate": Drawing(method_image=1.0, seed_effect=0.0, seed_image=0.1),
    "20 classes on 30 images": Drawing(images=30, classes=20, method_image=0.5, seed_effect=0.1),
    "25 unequal groups": Drawing(images=120, groups=25, method_image=0.7, seed_effect=0.1),
}


def judge_drawn_studies(
    drawing: Drawing,
    studies: int,
    rng: np.random.Generator,
    progress: Callable[[int], object] | None = None,
) -> list[Judgement]:
    """Draw and judge `studies` studies, each with images and seeds of its own.

    Args:
        drawing: their size, noise and effect.
        studies: how many.
        rng: draws everything.
        progress: called with the number done since the last call.
    """
    judged = []
    for _ in range(studies):
        judged.append(judge_drawn_study(drawing, rng))
        if progress is not None:
            progress(1)
    return judged


def tally_of(judged: Sequence[Judgement]) -> Tally:
    """Count what each procedure but the first edition's says of the same studies."""
    images_only = sum(each.checkpoints[0] > 0 or each.checkpoints[1] < 0 for each in judged)
    several = [each.differences for each in judged if len(each.differences) > 1]
    paired_t = sum(float(stats.ttest_1samp(each, 0.0).pvalue) < 0.05 for each in several)
    counts = Counter(Word(each.word) for each in judged)
    words = {word: counts[word] for word in Word}
    return Tally(len(judged), words, images_only, paired_t, two_component=0)


def judge_drawn_study(drawing: Drawing, rng: np.random.Generator) -> Judgement:
    """Draw a truth and the detections of every run, and judge the variant."""
    shares = SHARES if drawing.classes is None else [1 / drawing.classes] * drawing.classes
    truth = truth_from(draw_truth(drawing.images, rng, shares))
    group = draw_groups(drawing, rng)
    weights = image_weights(rng, drawing.images, drawing.replicates, group)
    blocks = draw_blocks(rng, drawing.images, group)
    place = np.array([each["image_id"] for each in truth.objects])
    ease = rng.normal(0.0, drawing.difficulty, drawing.images)[group][place]
    ease += rng.normal(0.0, 1.0, len(place))
    sides = []
    for name, effect in (("baseline", 0.0), ("variant", drawing.effect)):
        taste = rng.normal(effect, drawing.method_image, drawing.images)[group]
        runs: dict[int, Measured] = {}
        for seed in range(drawing.seeds):
            skill = taste + rng.normal(0.0, drawing.seed_effect)
            skill += rng.normal(0.0, drawing.seed_image, drawing.images)[group]
            sure = ease + skill[place] + rng.normal(0.0, drawing.seed_image, len(place))
            runs[seed] = measure(match(truth, draw_detections(truth, sure, rng)), weights, blocks)
        sides.append(Side(name, runs))
    counts = images_of_classes(truth).tolist()
    units = int(group.max()) + 1
    test = TestSet(units, effective_number(blocks), truth.class_names, counts)
    result = judge(sides[0], sides[1:], test, Terms(replicates=drawing.replicates))["variant"]
    assert result is not None  # both sides have every seed
    return result


def draw_groups(drawing: Drawing, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return the group of each image, (images,): its own, or one of unequal groups of 3 and more.

    The sizes fall as 1 / rank does; which image is in which is drawn.
    """
    if drawing.groups is None:
        return np.arange(drawing.images)
    left = drawing.images - 3 * drawing.groups
    share = 1 / np.arange(1, drawing.groups + 1)
    sizes = 3 + np.floor(left * share / share.sum()).astype(int)
    sizes[0] += drawing.images - sizes.sum()
    return rng.permutation(np.repeat(np.arange(drawing.groups), sizes))

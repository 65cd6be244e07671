"""A variant against its baseline: from the AP of paired runs to a verdict and what it rests on.

AP points come in, fractions go out: what a report holds is in the unit of COCO's metrics. AP is
judged; in the other metrics and the classes is explored where a difference might lie.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import crossed_interval
from yolox_attn.stats.interval import (
    Paired,
    equivalence_p,
    estimate,
    image_interval,
    interval,
    p_value,
)
from yolox_attn.stats.jackknife import ImageNoise, image_noise
from yolox_attn.stats.measured import Measured, Side, TestSet, require_defined
from yolox_attn.stats.multiple_testing import benjamini_hochberg, holm
from yolox_attn.stats.noise import measured_noise
from yolox_attn.stats.paired_tests import MAX_SEEDS, Pairing, pairing, sign_flip_p, superiority
from yolox_attn.stats.paired_tests import MIN_SEEDS as SIGN_FLIP_SEEDS
from yolox_attn.stats.power import Question, detectable_effect, settle
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.values import Floats
from yolox_attn.stats.verdict import (
    MIN_IMAGES,
    MIN_SEEDS,
    PRIMARY,
    Ends,
    Exploratory,
    Judgement,
    Word,
    decide,
    evidence,
)
from yolox_attn.stats.weighted_ap import AP_METRICS

SOURCES = ("method_image", "seed", "seed_image")  # of `Noise`
OTHERS = tuple(name for name in AP_METRICS if name != PRIMARY)
LEAST_IMAGES = 30  # a class on fewer images gets its difference and nothing more
RunPairs = dict[int, tuple[Measured, Measured]]  # seed -> variant and baseline
Compared = tuple[float | None, Ends | None, float | None]  # difference, interval, p; None: unknown


@dataclass(frozen=True)
class _Pairs:
    """A variant's runs with the baseline's of the same seeds, and their differences, AP points."""

    runs: RunPairs
    differences: Floats  # (S,)
    of_images: ImageNoise
    paired: Paired


def judge(
    baseline: Side, variants: Sequence[Side], test: TestSet, terms: Terms
) -> dict[str, Judgement | None]:
    """Judge every variant against the baseline; None for one that shares no seed with it.

    The family of Holm's adjustment are all variants that are no controls, also those without a
    run: whoever leaves one out after looking has looked all the same. One with too few seeds for
    a verdict takes no step of Holm's from the others: its p counts as 1.

    Raises:
        InputError: the AP of a run is undefined, on the images or on a resample; or one image.
    """
    pairs = {side.name: _pair(baseline, side, test) for side in variants}
    family = [side.name for side in variants if not side.control]
    adjusted = holm([_p_in_family(pairs[name]) for name in family]).tolist()
    p_holm = dict(zip(family, adjusted, strict=True))
    sizes = {side.name: 1 if side.control else len(family) for side in variants}
    return {
        name: None if own is None else _judgement(own, p_holm.get(name), sizes[name], test, terms)
        for name, own in pairs.items()
    }


def fraction(points: float) -> float:
    """Return AP points as a fraction."""
    return points / 100


def _pair(baseline: Side, side: Side, test: TestSet) -> _Pairs | None:
    seeds = sorted(baseline.runs.keys() & side.runs.keys())
    if not seeds:
        return None
    if test.images < 2:
        raise InputError(f"an interval needs at least 2 test images (or groups), got {test.images}")
    for each in (baseline, side):
        require_defined(each, seeds, PRIMARY)
    runs = {seed: (side.runs[seed], baseline.runs[seed]) for seed in seeds}
    differences = _differences(runs, lambda run: run.metrics[PRIMARY])
    of_images = image_noise(_differences(runs, lambda run: run.left_out[PRIMARY]))
    return _Pairs(runs, differences, of_images, estimate(differences, of_images, test.effective))


def _differences(runs: RunPairs, of: Callable[[Measured], ArrayLike]) -> Floats:
    """Return variant minus baseline in AP points: the shape of `of`, the seeds as last axis."""
    pairs = runs.values()
    return np.stack([np.subtract(of(variant), of(base)) for variant, base in pairs], axis=-1)


def _p_in_family(pairs: _Pairs | None) -> float:
    if pairs is None or len(pairs.runs) < MIN_SEEDS or pairs.paired.images < MIN_IMAGES:
        return 1.0
    return float(p_value(pairs.paired))


def _judgement(
    pairs: _Pairs, p_holm: float | None, family: int, test: TestSet, terms: Terms
) -> Judgement:
    """Judge one variant; `family` is the size of Holm's, 1 outside of it."""
    paired, differences = pairs.paired, pairs.differences
    p, confidence = float(p_value(paired)), 1 - terms.alpha
    basis = evidence(paired, p if p_holm is None else p_holm, alpha=terms.alpha)
    verdict = decide(basis, sesoi=terms.sesoi)
    wins = superiority(differences, confidence)
    rng = np.random.default_rng([terms.seed, 1])
    resampled = _differences(pairs.runs, lambda run: run.resampled[PRIMARY])
    exact = SIGN_FLIP_SEEDS <= differences.size <= MAX_SEEDS
    judgement = Judgement(
        word=verdict.word.value,
        amount=None if verdict.amount is None else verdict.amount.value,
        settling=None,
        family=family,
        seeds=tuple(pairs.runs),
        images=test.images,
        effective=test.effective,
        grouped=test.grouped,
        identical=basis.identical,
        differences=tuple(fraction(value) for value in differences.tolist()),
        difference=fraction(basis.difference),
        alpha=terms.alpha,
        interval=_known_ends(basis.interval),
        narrow=_known_ends(basis.narrow),
        seed_error=_known(fraction(float(paired.seed_error))),
        image_error=fraction(float(paired.image_error)),
        p_value=p,
        p_holm=p_holm,
        p_equivalence=float(equivalence_p(paired, terms.sesoi)),
        probability=wins.probability,
        probability_interval=wins.interval,
        wins=wins.wins,
        ties=wins.ties,
        crossed=_ends(crossed_interval(resampled, rng, confidence)),
        sign_flip=sign_flip_p(differences) if exact else None,
        checkpoints=_ends(image_interval(paired, confidence)),
        noise=None,
        pairing=_pairing(pairs.runs, confidence),
        detectable=None,
        exploratory=_exploratory(pairs.runs, test, terms.alpha),
    )
    return judgement if paired.seeds < 2 else _with_noise(judgement, pairs, terms)


def _pairing(runs: RunPairs, confidence: float) -> Pairing | None:
    points = [[run.metrics[PRIMARY] for run in pair] for pair in runs.values()]
    variant, baseline = zip(*points, strict=True)
    return pairing(variant, baseline, confidence)


def _with_noise(judgement: Judgement, pairs: _Pairs, terms: Terms) -> Judgement:
    """Add what the noise of two seeds and more says of the size of a study."""
    seeds, images = len(pairs.runs), judgement.images
    noise = measured_noise(pairs.differences, pairs.of_images, images, judgement.effective)
    alpha = terms.alpha / judgement.family
    settling = None
    if judgement.word == Word.CANNOT_TELL.value:
        difference = float(pairs.paired.difference)
        question = Question(difference, terms.sesoi, terms.alpha, judgement.family)
        settling = settle(question, noise, seeds, images)
    return replace(
        judgement,
        settling=settling,
        noise={name: fraction(getattr(noise, name)) for name in SOURCES},
        detectable=fraction(detectable_effect(noise, seeds=seeds, images=images, alpha=alpha)),
    )


def _exploratory(runs: RunPairs, test: TestSet, alpha: float) -> tuple[Exploratory, ...]:
    """Compare the sides in every metric but AP, then in every class.

    Where a difference might lie, never whether there is one. Intervals are of confidence
    1 - alpha; there is no p value from fewer seeds than a verdict has.
    """
    images = test.class_images
    values = _differences(runs, lambda run: [run.metrics[name] for name in OTHERS])  # (5, S)
    tables = _differences(runs, lambda run: [run.left_out[name] for name in OTHERS])  # (5, G, S)
    metrics = [_compared(values[k], tables[k], test, alpha) for k in range(len(OTHERS))]
    values = _differences(runs, lambda run: run.by_class)  # (K, S)
    tables = _differences(runs, lambda run: run.class_left_out.T)  # (K, G, S)
    classes = [
        _compared(values[k], tables[k] if count >= LEAST_IMAGES else None, test, alpha)
        for k, count in enumerate(images)
    ]
    named_metrics = zip(OTHERS, _adjusted(metrics), strict=True)
    named_classes = zip(test.class_names, _adjusted(classes), images, strict=True)
    return (
        *(Exploratory("metric", name, *result, None) for name, result in named_metrics),
        *(Exploratory("class", name, *result, count) for name, result, count in named_classes),
    )


def _compared(values: Floats, table: Floats | None, test: TestSet, alpha: float) -> Compared:
    """Compare the sides in a metric or a class.

    Args:
        values: (S,) differences, AP points.
        table: (G, S) the same with images left out; None for the mean alone.
        test: the images.
        alpha: of the interval.
    """
    if not np.isfinite(values).all():
        return None, None, None
    difference = fraction(float(values.mean()))
    if values.size < 2 or table is None or not np.isfinite(table).all():
        return difference, None, None
    paired = estimate(values, image_noise(table), test.effective)
    ends = _known_ends(interval(paired, 1 - alpha))
    p = float(p_value(paired)) if ends and values.size >= MIN_SEEDS else None
    return difference, ends, p


def _adjusted(results: Sequence[Compared]) -> list[Compared]:
    """Adjust the p values there are by Benjamini and Hochberg."""
    adjusted = iter(benjamini_hochberg([p for *_, p in results if p is not None]).tolist())
    return [
        (difference, ends, None if p is None else next(adjusted)) for difference, ends, p in results
    ]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _known_ends(ends: tuple[Floats | float, ...]) -> Ends | None:
    known = _ends(ends)
    return known if all(map(math.isfinite, known)) else None


def _ends(ends: tuple[Floats | float, ...]) -> Ends:
    lower, upper = ends
    return fraction(float(lower)), fraction(float(upper))

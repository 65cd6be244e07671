"""A variant against its baseline: from the AP of paired runs to a verdict and what it rests on.

AP points come in, fractions go out: what a report holds is in the unit of COCO's metrics. AP is
judged; in the other metrics and the classes is explored where a difference might lie.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from yolox_attn.stats.bootstrap import crossed_interval
from yolox_attn.stats.interval import (
    Floats,
    Paired,
    equivalence_p,
    image_error,
    image_interval,
    interval,
    p_value,
    two_component,
)
from yolox_attn.stats.measured import Side, TestSet, require_defined
from yolox_attn.stats.multiple_testing import benjamini_hochberg, holm
from yolox_attn.stats.noise import Noise, measured_noise
from yolox_attn.stats.paired_tests import MAX_SEEDS, sign_flip_p, superiority
from yolox_attn.stats.paired_tests import MIN_SEEDS as SIGN_FLIP_SEEDS
from yolox_attn.stats.power import Question, Settling, detectable_effect, settle
from yolox_attn.stats.verdict import (
    MIN_SEEDS,
    PRIMARY,
    Ends,
    Evidence,
    Exploratory,
    Judgement,
    Terms,
    Word,
    decide,
    evidence,
)
from yolox_attn.stats.weighted_ap import METRICS

LEAST_IMAGES = 30  # a class on fewer images gets its difference and nothing more
LEAST_SHARE = 0.95  # of the resamples must show the class or the size


@dataclass(frozen=True)
class _Study:
    """What all pairs of a study share; `family` is the size of Holm's, 1 outside of it."""

    test: TestSet
    terms: Terms
    family: int


@dataclass(frozen=True)
class _Pairs:
    """Differences of one variant over the seeds that both sides have, AP points."""

    seeds: tuple[int, ...]
    differences: Floats  # (S,)
    replicates: Floats  # (R, S)
    paired: Paired


def judge(
    baseline: Side, variants: Sequence[Side], test: TestSet, terms: Terms
) -> dict[str, Judgement | None]:
    """Judge every variant against the baseline; None for one that shares no seed with it.

    The family of Holm's adjustment are all variants that are no controls, also those without a
    run: whoever leaves one out after looking has looked all the same. One with too few seeds for
    a verdict takes no step of Holm's from the others: its p counts as 1.

    Raises:
        InputError: the AP of a run is undefined, on the images or on a resample.
    """
    found = {side.name: _pair(baseline, side, test.images) for side in variants}
    family = [side.name for side in variants if not side.control]
    adjusted = holm([_p_in_family(found[name]) for name in family]).tolist()
    p_holm = dict(zip(family, adjusted, strict=True))
    judged: dict[str, Judgement | None] = {}
    for side in variants:
        pairs = found[side.name]
        if pairs is None:
            judged[side.name] = None
            continue
        study = _Study(test, terms, 1 if side.control else len(family))
        exploratory = explore(baseline, side, test, terms.alpha)
        judged[side.name] = _judgement(pairs, p_holm.get(side.name), study, exploratory)
    return judged


def _p_in_family(pairs: _Pairs | None) -> float:
    if pairs is None or len(pairs.seeds) < MIN_SEEDS:
        return 1.0
    return float(p_value(pairs.paired))


def _pair(baseline: Side, side: Side, images: int) -> _Pairs | None:
    seeds = tuple(sorted(baseline.runs.keys() & side.runs.keys()))
    if not seeds:
        return None
    for each in (baseline, side):
        require_defined(each, seeds, PRIMARY)
    pairs = [(side.runs[seed], baseline.runs[seed]) for seed in seeds]
    differences = np.array([a.metrics[PRIMARY] - b.metrics[PRIMARY] for a, b in pairs])
    tables = [a.resampled[PRIMARY] - b.resampled[PRIMARY] for a, b in pairs]
    replicates = np.stack(tables, axis=1)
    paired = two_component(differences, image_error(replicates), images)
    return _Pairs(seeds, differences, replicates, paired)


def _judgement(
    pairs: _Pairs, p_holm: float | None, study: _Study, exploratory: tuple[Exploratory, ...]
) -> Judgement:
    paired, differences, terms = pairs.paired, pairs.differences, study.terms
    p = float(p_value(paired))
    basis = evidence(paired, p if p_holm is None else p_holm, alpha=terms.alpha)
    verdict = decide(basis, sesoi=terms.sesoi)
    confidence = 1 - terms.alpha
    noise = None
    if len(pairs.seeds) > 1:
        noise = measured_noise(differences, pairs.replicates, paired.images)
    wins = superiority(differences, confidence)
    rng = np.random.default_rng([terms.seed, 1])
    exact = SIGN_FLIP_SEEDS <= differences.size <= MAX_SEEDS
    return Judgement(
        word=verdict.word.value,
        amount=None if verdict.amount is None else verdict.amount.value,
        settling=_settling(basis, verdict.word, noise, study),
        family=study.family,
        seeds=pairs.seeds,
        images=study.test.images,
        grouped=study.test.grouped,
        identical=basis.identical,
        differences=tuple(fraction(value) for value in differences.tolist()),
        difference=fraction(basis.difference),
        interval=_known_ends(basis.interval),
        narrow=_known_ends(basis.narrow),
        seed_error=_known(fraction(float(paired.seed_error))),
        image_error=fraction(float(paired.image_error)),
        freedom=_known(float(paired.freedom)),
        p_value=p,
        p_holm=p_holm,
        p_equivalence=float(equivalence_p(paired, terms.sesoi)),
        probability=wins.probability,
        probability_interval=wins.interval,
        wins=wins.wins,
        ties=wins.ties,
        crossed=_ends(crossed_interval(pairs.replicates, rng, confidence)),
        sign_flip=sign_flip_p(differences) if exact else None,
        checkpoints=_ends(image_interval(paired, confidence)),
        noise=None if noise is None else _by_source(noise),
        detectable=_detectable(noise, len(pairs.seeds), study),
        exploratory=exploratory,
    )


def _settling(found: Evidence, word: Word, noise: Noise | None, study: _Study) -> Settling | None:
    if word is not Word.CANNOT_TELL or noise is None:
        return None
    terms = study.terms
    question = Question(found.difference, terms.sesoi, terms.alpha, study.family)
    return settle(question, noise, found.seeds, study.test.images)


def _detectable(noise: Noise | None, seeds: int, study: _Study) -> float | None:
    if noise is None:
        return None
    alpha = study.terms.alpha / study.family
    return fraction(detectable_effect(noise, seeds=seeds, images=study.test.images, alpha=alpha))


def _by_source(noise: Noise) -> dict[str, float]:
    names = ("method_image", "seed", "seed_image")
    return {name: fraction(getattr(noise, name)) for name in names}


def explore(
    baseline: Side, side: Side, test: TestSet, alpha: float = 0.05
) -> tuple[Exploratory, ...]:
    """Compare the seeds that both sides have in every metric but AP, then in every class.

    Where a difference might lie, never whether there is one. Intervals are of confidence
    1 - alpha; there is no p value from fewer seeds than a verdict has.
    """
    seeds = sorted(baseline.runs.keys() & side.runs.keys())
    pairs = [(side.runs[seed], baseline.runs[seed]) for seed in seeds]
    metrics, classes = [], []
    for name in (name for name in METRICS if name != PRIMARY):
        values = [a.metrics[name] - b.metrics[name] for a, b in pairs]
        table = [a.resampled[name] - b.resampled[name] for a, b in pairs]
        blank = Exploratory("metric", name, None, None, None, None)
        metrics.append(_explored(blank, values, table, test, alpha))
    for k, (name, images) in enumerate(zip(test.class_names, test.class_images, strict=True)):
        values = [float(a.by_class[k] - b.by_class[k]) for a, b in pairs]
        table = [a.class_resampled[:, k] - b.class_resampled[:, k] for a, b in pairs]
        blank = Exploratory("class", name, None, None, None, int(images))
        enough = table if images >= LEAST_IMAGES else []
        classes.append(_explored(blank, values, enough, test, alpha))
    return (*_adjusted(metrics), *_adjusted(classes))


def _explored(
    blank: Exploratory,
    values: Sequence[float],
    table: Sequence[Floats],
    test: TestSet,
    alpha: float,
) -> Exploratory:
    """Fill in a metric or a class; its p value is not adjusted yet.

    Args:
        blank: what it is.
        values: differences of each seed, AP points.
        table: the same on the resamples, (R,) each; empty for the mean alone.
        test: the images.
        alpha: of the interval.
    """
    if not np.isfinite(values).all():
        return blank
    mean = replace(blank, difference=fraction(float(np.mean(values))))
    if len(values) < 2 or not table:
        return mean
    replicates = np.stack(table, axis=1)
    shown = np.isfinite(replicates).all(axis=1)
    if shown.mean() < LEAST_SHARE:
        return mean
    paired = two_component(values, image_error(replicates[shown]), test.images)
    ends = _ends(interval(paired, 1 - alpha))
    if not math.isfinite(ends[0]):
        return mean
    p = float(p_value(paired)) if len(values) >= MIN_SEEDS else None
    return replace(mean, interval=ends, p_adjusted=p)


def _adjusted(explored: Sequence[Exploratory]) -> list[Exploratory]:
    """Adjust the p values there are by Benjamini and Hochberg."""
    known = [each.p_adjusted for each in explored if each.p_adjusted is not None]
    adjusted = iter(benjamini_hochberg(known).tolist())
    return [
        each if each.p_adjusted is None else replace(each, p_adjusted=next(adjusted))
        for each in explored
    ]


def fraction(points: float) -> float:
    """Return AP points as a fraction."""
    return points / 100


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _ends(ends: tuple[Floats | float, ...]) -> Ends:
    lower, upper = ends
    return fraction(float(lower)), fraction(float(upper))


def _known_ends(ends: Ends) -> Ends | None:
    return _ends(ends) if all(map(math.isfinite, ends)) else None

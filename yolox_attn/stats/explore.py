"""The other figures and the classes: where a difference might lie, never whether there is one."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from yolox_attn.stats.judgement import PRIMARY, Ends, Exploratory, fraction
from yolox_attn.stats.measured import Measured, Side, TestSet
from yolox_attn.stats.multiple import benjamini_hochberg
from yolox_attn.stats.paired import Floats, image_error, interval, p_value, two_component
from yolox_attn.stats.verdict import MIN_SEEDS
from yolox_attn.stats.weighted import FIGURES

LEAST_IMAGES = 30  # a class on fewer images gets its difference and nothing more
Runs = tuple[Sequence[Measured], Sequence[Measured]]  # variant's and baseline's, seed by seed
LEAST_SHARE = 0.95  # of the resamples must show the class or the size


@dataclass(frozen=True)
class _Raw:
    difference: float | None
    interval: Ends | None = None
    p: float | None = None


def explore(
    baseline: Side, side: Side, test: TestSet, alpha: float = 0.05
) -> tuple[Exploratory, ...]:
    """Compare the seeds that both sides have in every figure but AP, then in every class.

    Intervals are of confidence 1 - alpha; there is no p value from fewer seeds than a verdict has.
    """
    seeds = sorted(baseline.runs.keys() & side.runs.keys())
    ours, theirs = ([each.runs[seed] for seed in seeds] for each in (side, baseline))
    names = [name for name in FIGURES if name != PRIMARY]
    figures = [_figure(name, (ours, theirs), test.images, alpha) for name in names]
    classes = [_class(place, (ours, theirs), test, alpha) for place in range(len(test.class_names))]
    counts: list[int | None] = [None] * len(names)
    return (
        *_adjusted("figure", names, figures, counts),
        *_adjusted("class", test.class_names, classes, test.class_images),
    )


def _figure(name: str, sides: Runs, images: int, alpha: float) -> _Raw:
    ours, theirs = sides
    values = [a.figures[name] - b.figures[name] for a, b in zip(ours, theirs, strict=True)]
    table = [a.resampled[name] - b.resampled[name] for a, b in zip(ours, theirs, strict=True)]
    return _raw(values, table, images, alpha)


def _class(place: int, sides: Runs, test: TestSet, alpha: float) -> _Raw:
    ours, theirs = sides
    values = [
        float(a.by_class[place] - b.by_class[place]) for a, b in zip(ours, theirs, strict=True)
    ]
    if test.class_images[place] < LEAST_IMAGES:
        mean = float(np.mean(values))
        return _Raw(fraction(mean) if math.isfinite(mean) else None)
    table = [
        a.class_resampled[:, place] - b.class_resampled[:, place]
        for a, b in zip(ours, theirs, strict=True)
    ]
    return _raw(values, table, test.images, alpha)


def _raw(values: Sequence[float], table: Sequence[Floats], images: int, alpha: float) -> _Raw:
    if not np.isfinite(values).all():
        return _Raw(None)
    mean = fraction(float(np.mean(values)))
    replicates = np.stack(table, axis=1)
    shown = np.isfinite(replicates).all(axis=1)
    if len(values) < 2 or shown.mean() < LEAST_SHARE:
        return _Raw(mean)
    paired = two_component(values, image_error(replicates[shown]), images)
    lower, upper = (fraction(float(end)) for end in interval(paired, 1 - alpha))
    if not math.isfinite(lower):
        return _Raw(mean)
    p = float(p_value(paired)) if len(values) >= MIN_SEEDS else None
    return _Raw(mean, (lower, upper), p)


def _adjusted(
    kind: str, names: Sequence[str], found: Sequence[_Raw], images: Sequence[int | None]
) -> list[Exploratory]:
    known = [place for place, raw in enumerate(found) if raw.p is not None]
    p = dict(
        zip(known, benjamini_hochberg([found[place].p or 0.0 for place in known]), strict=True)
    )
    return [
        Exploratory(
            kind,
            name,
            raw.difference,
            raw.interval,
            float(p[place]) if place in p else None,
            None if count is None else int(count),
        )
        for place, (name, raw, count) in enumerate(zip(names, found, images, strict=True))
    ]

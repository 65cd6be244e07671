"""AP of one run: on the test images as they are, and on every resample of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.errors import InputError
from yolox_attn.stats.curves import Floats
from yolox_attn.stats.matches import Matches, match
from yolox_attn.stats.truth import Truth
from yolox_attn.stats.weighted import FIGURES, Progress, weighted_ap


@dataclass(frozen=True)
class Measured:
    """One run's AP in AP points; nan where there is no such object.

    Attributes:
        figures: figure -> AP on the images as they are.
        resampled: figure -> (R,) AP on each resample.
        by_class: (K,) AP50:95 of each class on the images as they are.
        class_resampled: (R, K) the same on each resample.
        strangers: detections of classes that the truth does not list, left out.
    """

    figures: dict[str, float]
    resampled: dict[str, Floats]
    by_class: Floats
    class_resampled: Floats
    strangers: int = 0


@dataclass(frozen=True)
class Side:
    """The runs of one variant: seed -> what was measured."""

    name: str
    runs: Mapping[int, Measured]
    control: bool = False  # stands outside the Holm family


@dataclass(frozen=True)
class TestSet:
    """The images that judge.

    Args:
        images: how many, or how many groups where `grouped`: whole groups are resampled.
        class_names: K of them; class_images: on how many images each has an object.
    """

    images: int
    class_names: Sequence[str]
    class_images: Sequence[int]
    grouped: bool = False

    __test__ = False  # pytest: not a test case


def measure(
    truth: Truth,
    detections: Sequence[dict[str, Any]],
    weights: NDArray[np.integer[Any]],
    *,
    origin: str = "the detections",
    progress: Progress | None = None,
) -> Measured:
    """Match the detections once and take their AP on the images and on each resample.

    Args:
        truth: the test images and their objects.
        detections: COCO results.
        weights: (R, images) from `image_weights`, the same for every run of a comparison.
        origin: begins the message of a refusal.
        progress: called with the replicates done and their number.

    Raises:
        InputError: detections that do not fit the truth.
    """
    return measure_matches(match(truth, detections, origin), weights, progress)


def measure_matches(
    matches: Matches, weights: NDArray[np.integer[Any]], progress: Progress | None = None
) -> Measured:
    """Take the AP of matched detections on the images (weight 1 each) and on each resample."""
    as_they_are = np.ones((1, matches.images), dtype=weights.dtype)
    found = weighted_ap(
        matches, np.concatenate([as_they_are, weights]), figures=tuple(FIGURES), progress=progress
    )
    overall = {name: 100 * values for name, values in found.overall.items()}
    classes = 100 * found.by_class["AP"]
    return Measured(
        figures={name: float(values[0]) for name, values in overall.items()},
        resampled={name: values[1:] for name, values in overall.items()},
        by_class=classes[0],
        class_resampled=classes[1:],
        strangers=matches.strangers,
    )


def require_defined(side: Side, seeds: Sequence[int], figure: str) -> None:
    """Refuse a run without this AP, on the images or on a resample: no error could be told.

    Raises:
        InputError: names the run.
    """
    for seed in seeds:
        run, where = side.runs[seed], f"{figure} of {side.name}, seed {seed}, is undefined"
        if not np.isfinite(run.figures[figure]):
            raise InputError(f"{where}: the test images show no object to find")
        table = run.resampled[figure]
        if undefined := int(np.count_nonzero(~np.isfinite(table))):
            raise InputError(
                f"{where} on {undefined} of {table.size} resamples: they show no object to find; "
                "the test images with objects are too few"
            )


def images_of_classes(truth: Truth) -> NDArray[np.int64]:
    """Return on how many images each class has an object that is to be found: (K,)."""
    pairs = {
        (each["category_id"], each["image_id"]) for each in truth.objects if not each["iscrowd"]
    }
    labels = np.array([label for label, _ in sorted(pairs)], dtype=np.int64)
    return np.bincount(labels, minlength=len(truth.class_ids)).astype(np.int64)

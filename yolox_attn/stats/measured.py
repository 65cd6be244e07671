"""AP of one run: on the test images, on resamples of them, and with each of them left out."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.annotations import Truth
from yolox_attn.coco.evaluate import Matches, match_checked
from yolox_attn.coco.results import check_detections, read_detections
from yolox_attn.errors import InputError
from yolox_attn.stats.ap_numpy import Floats
from yolox_attn.stats.bootstrap import csv_of_groups, image_groups, image_weights
from yolox_attn.stats.jackknife import draw_blocks, effective_number, leave_out_weights
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.weighted_ap import weighted_ap


@dataclass(frozen=True)
class Measured:
    """One run's AP in AP points; nan where there is no such object.

    Attributes:
        metrics: metric -> AP on the images as they are.
        resampled: metric -> (R,) AP on each resample.
        left_out: metric -> (G,) AP with each block of images left out in turn.
        by_class: (K,) AP50:95 of each class on the images as they are.
        class_left_out: (G, K) the same with each block left out.
        unknown_categories: detections of categories that the truth does not list, left out.
        content: a digest of the detections, whatever their order or layout; "" of none at all.
    """

    metrics: dict[str, float]
    resampled: dict[str, Floats]
    left_out: dict[str, Floats]
    by_class: Floats
    class_left_out: Floats
    unknown_categories: int = 0
    content: str = ""


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
        effective: how many of them, were they equally large, would be worth as much.
        class_names: K of them; class_images: on how many images each has an object.
    """

    images: int
    effective: float
    class_names: Sequence[str]
    class_images: Sequence[int]
    grouped: bool = False

    __test__ = False  # pytest: not a test case


@dataclass(frozen=True)
class Resamples:
    """Draws of the test images.

    Args:
        weights: (R, images) how often each image stands in each resample.
        blocks: (images,) number of the block that each image is left out with.
        units: how many images, or groups of them, were drawn from.
        groups: what was drawn instead of images, as "120 groups by video".
    """

    truth: Truth
    weights: NDArray[np.integer[Any]]
    blocks: NDArray[np.integer[Any]]
    units: int
    groups: str | None = None

    @cached_property
    def digest(self) -> str:
        """A digest of truth and draws."""
        parts = [repr(self.truth).encode(), self.weights.tobytes(), self.blocks.tobytes()]
        return hashlib.sha256(b"".join(hashlib.sha256(part).digest() for part in parts)).hexdigest()

    @property
    def test_set(self) -> TestSet:
        """What the verdict must know of the images."""
        truth = self.truth
        counts = images_of_classes(truth).tolist()
        return TestSet(
            self.units,
            effective_number(self.blocks),
            truth.class_names,
            counts,
            grouped=self.groups is not None,
        )


def draw_resamples(truth: Truth, terms: Terms, groups: str | None = None) -> Resamples:
    """Draw `terms.replicates` resamples, and the blocks to be left out, with `terms.seed`.

    Args:
        truth: the test images.
        terms: of the study.
        groups: key of the image entries, or a path that ends in .csv, of images that belong
            together; None draws single images.

    Raises:
        InputError: an image without a group, or a single group.
    """
    rng, images = np.random.default_rng(terms.seed), len(truth.images)
    of_blocks = np.random.default_rng([terms.seed, 2])
    if groups is None:
        weights = image_weights(rng, images, terms.replicates)
        return Resamples(truth, weights, draw_blocks(of_blocks, images), images)
    numbers = image_groups(truth, groups)
    units = int(numbers.max()) + 1
    weights = image_weights(rng, images, terms.replicates, numbers)
    blocks = draw_blocks(of_blocks, images, numbers)
    listed = csv_of_groups(groups)
    name = listed.name if listed else groups
    return Resamples(truth, weights, blocks, units, f"{units} groups by {name}")


def measure_file(path: Path, resamples: Resamples) -> Measured:
    """Take the AP of a file of COCO results on the images and on every resample.

    Raises:
        InputError: it cannot be read, or does not fit the truth.
    """
    detections = read_detections(path)
    content = digest_of(detections)
    checked = check_detections(resamples.truth, detections, str(path))
    del detections  # at COCO's size they are large, and nothing that follows needs them
    matches = match_checked(resamples.truth, checked)
    return replace(measure(matches, resamples.weights, resamples.blocks), content=content)


def digest_of(detections: Sequence[Mapping[str, Any]]) -> str:
    """Return a digest of what was detected, the same for every order and layout; "" of nothing."""
    if not detections:
        return ""
    keys = ("image_id", "category_id", "score", "bbox")
    lines = sorted(json.dumps([each.get(key) for key in keys]) for each in detections)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def refuse_replicas(runs: Mapping[str, Mapping[int, Measured]]) -> list[str]:
    """Refuse one training under two seeds: its detections are another's, to the last digit.

    Args:
        runs: variant -> seed -> what was measured.

    Returns:
        a remark on each variant of which several runs have not detected anything.

    Raises:
        InputError: names the variant and both seeds.
    """
    remarks = []
    for name, measured in runs.items():
        seen: dict[str, int] = {}
        for seed, run in measured.items():
            if run.content and (other := seen.get(run.content)) is not None:
                raise InputError(
                    f"{name}: {other} and {seed} have the same detections, so they are one "
                    "training and not two; leave one out"
                )
            seen[run.content] = seed
        empty = [str(seed) for seed, run in measured.items() if not run.content]
        if len(empty) > 1:
            remarks.append(f"{name}: nothing was detected by {', '.join(empty)}.")
    return remarks


def measure(
    matches: Matches, weights: NDArray[np.integer[Any]], blocks: NDArray[np.integer[Any]]
) -> Measured:
    """Take the AP of matched detections as they are, on each resample, and without each block.

    Args:
        matches: one run's.
        weights: (R, images) from `image_weights`, the same for every run of a comparison.
        blocks: (images,) from `draw_blocks`, the same for every run too.
    """
    as_they_are = np.ones((1, matches.images), dtype=weights.dtype)
    rows = np.concatenate([as_they_are, weights, leave_out_weights(blocks)])
    result, first = weighted_ap(matches, rows), 1 + len(weights)
    overall = {name: 100 * values for name, values in result.overall.items()}
    classes = 100 * result.by_class["AP"]
    return Measured(
        metrics={name: float(values[0]) for name, values in overall.items()},
        resampled={name: values[1:first] for name, values in overall.items()},
        left_out={name: values[first:] for name, values in overall.items()},
        by_class=classes[0],
        class_left_out=classes[first:],
        unknown_categories=matches.unknown_categories,
    )


def require_defined(side: Side, seeds: Sequence[int], metric: str) -> None:
    """Refuse a run without this AP, on the images or on a resample: it has no standard error.

    Raises:
        InputError: names the run.
    """
    for seed in seeds:
        run, where = side.runs[seed], f"{metric} of {side.name}, seed {seed}, is undefined"
        if not np.isfinite(run.metrics[metric]):
            raise InputError(f"{where}: the test images show no object to find")
        table = np.concatenate([run.resampled[metric], run.left_out[metric]])
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

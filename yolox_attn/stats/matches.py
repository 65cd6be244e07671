"""Which detection finds which object, decided once for a run, by pycocotools' rules."""

import contextlib
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.stats.detections import placed
from yolox_attn.stats.matchers import Matcher, best_matcher
from yolox_attn.stats.truth import Truth

AREAS = ("all", "small", "medium", "large")  # in the order of COCOeval's area ranges
THRESHOLDS = tuple(float(t) for t in np.linspace(0.5, 0.95, 10))  # of IoU
MOST_DETECTIONS = 100  # of one image and class
Flags = NDArray[np.bool_]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Matches:
    """A run's detections, class after class, each class in the evaluator's order.

    That is by falling score; equal scores in the order of the images, and within one image in that
    of the results. Shapes: D detections, C pairs of image and class, A = 4 areas, T = 10 IoUs.

    Attributes:
        images: number of images of the truth, those without objects included.
        class_names: K names; a class is its place here.
        starts: (K + 1,); class k has the detections starts[k] to starts[k + 1].
        image, score: (D,).
        true, false: (A, T, D); what is neither counts as not detected (crowds, areas).
        object_starts: (K + 1,), likewise for the two below.
        object_image: (C,) images that show something of the class.
        object_count: (A, C) objects to find there.
        strangers: detections of classes that the truth does not list, left out as COCOeval does.
    """

    images: int
    class_names: tuple[str, ...]
    starts: Ints
    image: Ints
    score: NDArray[np.float64]
    true: Flags
    false: Flags
    object_starts: Ints
    object_image: Ints
    object_count: Ints
    strangers: int = 0

    def __len__(self) -> int:
        return len(self.image)


def match(
    truth: Truth,
    detections: Sequence[dict[str, Any]],
    origin: str = "the detections",
    matcher: Matcher | None = None,
) -> Matches:
    """Let COCOeval match the detections, with 100 an image and class, at all IoUs and areas.

    Args:
        truth: the images and their objects.
        detections: COCO results.
        origin: begins the message of a refusal.
        matcher: `best_matcher` if None.

    Raises:
        InputError: a detection without a finite score or box, or of an unlisted image. The
            message begins with `origin`.
    """
    evaluation, strangers = evaluate(truth, detections, origin, matcher)
    return matches_of(evaluation, truth, strangers)


def evaluate(
    truth: Truth,
    detections: Sequence[dict[str, Any]],
    origin: str = "the detections",
    matcher: Matcher | None = None,
) -> tuple[Any, int]:
    """Return a COCOeval that has matched, its ids places of `truth`; and the count of strangers."""
    found = list(placed(truth, detections, origin))
    matcher = matcher or best_matcher()
    with contextlib.redirect_stdout(io.StringIO()):
        sides = (_indexed(matcher, truth, each) for each in (truth.objects, found))
        evaluation = matcher.evaluation(*sides)
        evaluation.params.iouThrs = np.array(THRESHOLDS)
        evaluation.params.maxDets = [MOST_DETECTIONS]
        evaluation.evaluate()
    return evaluation, len(detections) - len(found)


def matches_of(evaluation: Any, truth: Truth, strangers: int = 0) -> Matches:
    """Flatten what a COCOeval of `evaluate` has found."""
    images, classes = len(truth.images), len(truth.class_names)
    found = np.array(evaluation.evalImgs, dtype=object).reshape(classes, len(AREAS), images)
    parts = [_class_part([[e for e in row if e is not None] for row in rows]) for rows in found]
    image, score, true, false, object_image, object_count = zip(*parts, strict=True)
    return Matches(
        images=images,
        class_names=truth.class_names,
        starts=_starts(image),
        image=np.concatenate(image),
        score=np.concatenate(score),
        true=np.concatenate(true, axis=2),
        false=np.concatenate(false, axis=2),
        object_starts=_starts(object_image),
        object_image=np.concatenate(object_image),
        object_count=np.concatenate(object_count, axis=1),
        strangers=strangers,
    )


def _indexed(matcher: Matcher, truth: Truth, annotations: Iterable[dict[str, Any]]) -> Any:
    """Index copies of the annotations: COCOeval writes into them."""
    indexed = matcher.index()
    indexed.dataset = {
        "images": [{"id": place} for place in range(len(truth.images))],
        "categories": [{"id": place} for place in range(len(truth.class_ids))],
        "annotations": [{**a, "id": number} for number, a in enumerate(annotations, start=1)],
    }
    indexed.createIndex()
    return indexed


def _class_part(found: list[list[dict[str, Any]]]) -> tuple[NDArray[Any], ...]:
    """One class's arrays, from COCOeval's records of each area and image."""
    records = found[0]
    counts = [len(record["dtScores"]) for record in records]
    score = np.array([s for record in records for s in record["dtScores"]], dtype=np.float64)
    seen = np.array([record["image_id"] for record in records], dtype=np.int64)
    order = np.argsort(-score, kind="stable")
    matched = np.zeros((len(AREAS), len(THRESHOLDS), len(score)), dtype=bool)
    ignored = matched.copy()
    for area, row in enumerate(found if records else []):
        matched[area] = np.concatenate([record["dtMatches"] for record in row], axis=1) > 0
        ignored[area] = np.concatenate([record["dtIgnore"] for record in row], axis=1)
    matched, ignored = matched[:, :, order], ignored[:, :, order]
    objects = [[int(np.sum(record["gtIgnore"] == 0)) for record in row] for row in found]
    object_count = np.array(objects, dtype=np.int64).reshape(len(AREAS), len(records))
    return (
        *(np.repeat(seen, counts)[order], score[order]),
        *(matched & ~ignored, ~matched & ~ignored),
        *(seen, object_count),
    )


def _starts(parts: Iterable[NDArray[Any]]) -> Ints:
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)

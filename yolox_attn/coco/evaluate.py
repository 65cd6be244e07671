"""COCOeval, called once for each purpose: the 12 metrics and AP per class, or who matches whom."""

import contextlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from yolox_attn.coco.annotations import Truth, class_names
from yolox_attn.coco.results import CheckedDetections, Detections, check_detections

try:
    from ultrafast_pycocotools._ufcoco import (
        OUTCOME_FALSE_POSITIVE,
        OUTCOME_TRUE_POSITIVE,
        Evaluator,
    )
    from ultrafast_pycocotools.coco import COCO as FastCOCO
    from ultrafast_pycocotools.cocoeval import COCOeval as FastCOCOeval

    TELLS_OUTCOMES = hasattr(Evaluator, "outcomes")
except ImportError:  # the extra [fast], or a version of it that is made otherwise
    FastCOCO = FastCOCOeval = None
    TELLS_OUTCOMES = False

METRICS = (  # in the order of COCOeval.stats; COCO's areas are below 32^2 and above 96^2 pixels
    *("AP", "AP50", "AP75", "APs", "APm", "APl"),
    *("AR1", "AR10", "AR100", "ARs", "ARm", "ARl"),
)
AREAS = ("all", "small", "medium", "large")  # in the order of COCOeval's area ranges
IOU_THRESHOLDS = tuple(float(t) for t in np.linspace(0.5, 0.95, 10))  # of IoU
MAX_DETS = 100  # of one image and class
Metrics = dict[str, float | None]  # fractions; None where the set has no such object
Flags = NDArray[np.bool_]
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """What COCOeval says; fractions, None where the set has no object to find."""

    metrics: Metrics
    class_ap: Metrics  # AP of IoU 0.50 to 0.95, by class name
    text: str  # COCOeval's own summary
    cocoeval: Any  # the COCOeval itself, for YOLOX's tables


@dataclass(frozen=True)
class Matches:
    """A run's detections, class after class, each class in the evaluator's order.

    That is by falling score; equal scores in the order of the images, and within one image in that
    of the results. Shapes: D detections, C pairs of image and class, A = 4 areas, T = 10 IoUs.

    Attributes:
        images: number of images of the truth, those without objects included.
        class_names: K names; a class is its place here.
        class_offsets: (K + 1,); class k has the detections class_offsets[k] to
            class_offsets[k + 1].
        image_index, score: (D,).
        tp, fp: (A, T, D); what is neither is ignored (crowds, areas).
        gt_offsets: (K + 1,), likewise for the two below.
        gt_image: (C,) images that show something of the class.
        gt_count: (A, C) objects to find there.
        unknown_categories: detections of categories that the truth does not list, left out.
    """

    images: int
    class_names: tuple[str, ...]
    class_offsets: Ints
    image_index: Ints
    score: NDArray[np.float64]
    tp: Flags
    fp: Flags
    gt_offsets: Ints
    gt_image: Ints
    gt_count: Ints
    unknown_categories: int = 0

    def __len__(self) -> int:
        return len(self.image_index)


@dataclass(frozen=True)
class Matcher:
    """pycocotools, or a package that does as it does."""

    name: str
    matches: Callable[[Truth, CheckedDetections], Matches]


def reference_matcher() -> Matcher:
    """Return pycocotools', which every other matcher is compared with."""
    return Matcher("pycocotools", matches_by_pycocotools)


def best_matcher() -> Matcher:
    """Return the fastest that is installed."""
    if FastCOCOeval is None or not TELLS_OUTCOMES:
        return reference_matcher()
    return Matcher("ultrafast-pycocotools", matches_by_ultrafast)


def evaluate(truth: COCO, detections: Detections) -> Evaluation:
    """Compare detections (none at all will do) with the truth by pycocotools; neither changes."""
    data = truth.dataset
    boxes = ({**d, "area": d["bbox"][2] * d["bbox"][3], "iscrowd": 0} for d in detections)
    summary = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        sides = (
            _index(COCO(), data["images"], data["categories"], entries)
            for entries in (data.get("annotations", []), boxes)
        )
        cocoeval = COCOeval(*sides, "bbox")
        cocoeval.evaluate()
        cocoeval.accumulate()
        with contextlib.redirect_stdout(summary):
            cocoeval.summarize()
    precision = cocoeval.eval["precision"]  # (IoU, recall, class, area, most detections)
    names = class_names([truth.cats[key] for key in sorted(truth.cats)])
    return Evaluation(
        metrics={
            name: float(value) if value > -1 else None
            for name, value in zip(METRICS, cocoeval.stats, strict=True)
        },
        class_ap={name: _mean(precision[:, :, k, 0, -1]) for k, name in enumerate(names)},
        text=summary.getvalue(),
        cocoeval=cocoeval,
    )


def match(
    truth: Truth,
    detections: Detections,
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
    return match_checked(truth, check_detections(truth, detections, origin), matcher)


def match_checked(
    truth: Truth, checked: CheckedDetections, matcher: Matcher | None = None
) -> Matches:
    """Do what `match` does with detections that may have been forgotten since they were checked."""
    return (matcher or best_matcher()).matches(truth, checked)


def matches_by_pycocotools(truth: Truth, checked: CheckedDetections) -> Matches:
    """Flatten the records of pycocotools, one an image, class and area range."""
    return matches_of(run_pycocotools(truth, checked), truth, checked.unknown_categories)


def matches_by_ultrafast(truth: Truth, checked: CheckedDetections) -> Matches:
    """Arrange what ultrafast-pycocotools has in arrays: of records it would make as many."""
    classes = np.arange(len(truth.class_names) + 1)
    by_area = _run_ultrafast(truth, checked.rows)
    label, score = by_area[0]["cat_slot"], by_area[0]["score"]  # by class, then by image
    order = np.lexsort((-score, label))
    outcome = np.array([each["outcome"].T[:, order] for each in by_area])  # (A, T, D)
    gt_label, gt_image, gt_count = _objects_to_find(truth, checked.rows)
    return Matches(
        images=len(truth.images),
        class_names=truth.class_names,
        class_offsets=np.searchsorted(label, classes).astype(np.int64),
        image_index=by_area[0]["image_id"][order],
        score=score[order],
        tp=outcome == OUTCOME_TRUE_POSITIVE,
        fp=outcome == OUTCOME_FALSE_POSITIVE,
        gt_offsets=np.searchsorted(gt_label, classes).astype(np.int64),
        gt_image=gt_image,
        gt_count=gt_count,
        unknown_categories=checked.unknown_categories,
    )


def run_pycocotools(truth: Truth, checked: CheckedDetections) -> COCOeval:
    """Return a COCOeval that has matched; its ids are places of `truth`."""
    with contextlib.redirect_stdout(io.StringIO()):
        known, found = (
            _index(COCO(), *_listed(truth), entries)
            for entries in (truth.objects, _results(checked.rows))
        )
        return _evaluated(COCOeval(known, found, "bbox"))


def matches_of(cocoeval: COCOeval, truth: Truth, unknown_categories: int = 0) -> Matches:
    """Flatten the records of `run_pycocotools`, which stand by class, area range and image."""
    images, records = len(truth.images), cocoeval.evalImgs
    rows = [
        [record for record in records[begin : begin + images] if record is not None]
        for begin in range(0, len(records), images)
    ]
    parts = [_class_part(rows[k : k + len(AREAS)]) for k in range(0, len(rows), len(AREAS))]
    image_index, score, tp, fp, gt_image, gt_count = zip(*parts, strict=True)
    return Matches(
        images=images,
        class_names=truth.class_names,
        class_offsets=_offsets(image_index),
        image_index=np.concatenate(image_index),
        score=np.concatenate(score),
        tp=np.concatenate(tp, axis=2),
        fp=np.concatenate(fp, axis=2),
        gt_offsets=_offsets(gt_image),
        gt_image=np.concatenate(gt_image),
        gt_count=np.concatenate(gt_count, axis=1),
        unknown_categories=unknown_categories,
    )


def _run_ultrafast(truth: Truth, rows: Floats) -> list[dict[str, NDArray[Any]]]:
    """Return cat_slot, image_id, score, (D,), and outcome, (D, T), of each area range.

    Detections stand class after class, image after image, by falling score.
    """
    images, categories = _listed(truth)
    known = FastCOCO(verbose=False)
    known.dataset = {
        "images": images,
        "categories": categories,
        "annotations": list(truth.objects),  # it writes nothing into them
    }
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        cocoeval = _evaluated(FastCOCOeval(known, known.loadRes(rows), "bbox"))
    # No public method of it has all IoUs at once: `per_instance` matches anew for each of the 40.
    return [cocoeval._engine.outcomes(area, MAX_DETS) for area in range(len(AREAS))]


def _evaluated(cocoeval: Any) -> Any:
    cocoeval.params.iouThrs = np.array(IOU_THRESHOLDS)
    cocoeval.params.maxDets = [MAX_DETS]
    cocoeval.evaluate()
    return cocoeval


def _objects_to_find(truth: Truth, rows: Floats) -> tuple[Ints, Ints, Ints]:
    """Return class and image of each pair that shows or was found to show something, (C,).

    With them gt_count, (A, C): as COCOeval, objects that are no crowd, of an area in the range.
    """
    images = len(truth.images)
    keys = ("category_id", "image_id", "area", "iscrowd")
    label, image, area, crowd = (np.array([each[key] for each in truth.objects]) for key in keys)
    shown = label.astype(np.int64) * images + image.astype(np.int64)
    found = rows[:, 6].astype(np.int64) * images + rows[:, 0].astype(np.int64)
    pairs = np.unique(np.concatenate([shown, found]))
    place = np.searchsorted(pairs, shown)
    counts = [
        np.bincount(place[(crowd == 0) & (low <= area) & (area <= high)], minlength=len(pairs))
        for low, high in Params(iouType="bbox").areaRng
    ]
    return pairs // images, pairs % images, np.array(counts, dtype=np.int64)


def _listed(truth: Truth) -> tuple[list[dict[str, int]], list[dict[str, int]]]:
    """Return images and categories, their places as ids."""
    images, categories = (
        [{"id": place} for place in range(len(ids))] for ids in (truth.images, truth.class_ids)
    )
    return images, categories


def _results(rows: Floats) -> Iterator[dict[str, Any]]:
    """Yield a COCO result of each row, with what `loadRes` adds."""
    for image, *box, score, label in map(np.ndarray.tolist, rows):
        yield {
            "image_id": int(image),
            "category_id": int(label),
            "bbox": box,
            "score": score,
            "area": box[2] * box[3],
            "iscrowd": 0,
        }


def _index(
    empty: Any,
    images: Sequence[dict[str, Any]],
    categories: Sequence[dict[str, Any]],
    annotations: Iterable[dict[str, Any]],
) -> Any:
    """Fill an empty COCO with copies of the annotations, under new ids from 1.

    COCOeval writes into them, and takes an id of 0 for "no match".
    """
    empty.dataset = {
        "images": images,
        "categories": categories,
        "annotations": [{**each, "id": n} for n, each in enumerate(annotations, start=1)],
    }
    empty.createIndex()
    return empty


def _mean(precision: NDArray[np.float64]) -> float | None:
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else None


def _class_part(areas: list[list[dict[str, Any]]]) -> tuple[NDArray[Any], ...]:
    """Return one class's arrays, from COCOeval's records of each image in each area range."""
    records = areas[0]
    counts = [len(record["dtScores"]) for record in records]
    score = np.array([s for record in records for s in record["dtScores"]], dtype=np.float64)
    image = np.array([record["image_id"] for record in records], dtype=np.int64)
    order = np.argsort(-score, kind="stable")
    matched = np.zeros((len(AREAS), len(IOU_THRESHOLDS), len(score)), dtype=bool)
    ignored = matched.copy()
    for area, row in enumerate(areas if records else []):
        matched[area] = np.concatenate([record["dtMatches"] for record in row], axis=1) > 0
        ignored[area] = np.concatenate([record["dtIgnore"] for record in row], axis=1)
    matched, ignored = matched[:, :, order], ignored[:, :, order]
    objects = [[int(np.sum(record["gtIgnore"] == 0)) for record in row] for row in areas]
    gt_count = np.array(objects, dtype=np.int64).reshape(len(AREAS), len(records))
    return (
        *(np.repeat(image, counts)[order], score[order]),
        *(matched & ~ignored, ~matched & ~ignored),
        *(image, gt_count),
    )


def _offsets(parts: Iterable[NDArray[Any]]) -> Ints:
    return np.cumsum([0, *(len(part) for part in parts)], dtype=np.int64)

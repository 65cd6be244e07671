"""The 12 COCO figures and AP per class, by pycocotools: never by a compiled stand-in."""

import contextlib
import io
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

FIGURES = (  # in the order of COCOeval.stats; COCO's areas are below 32^2 and above 96^2 pixels
    *("AP", "AP50", "AP75", "APs", "APm", "APl"),
    *("AR1", "AR10", "AR100", "ARs", "ARm", "ARl"),
)


@dataclass(frozen=True)
class Judgement:
    """What COCOeval says; fractions, None where the set has no object to find."""

    figures: dict[str, float | None]
    class_ap: dict[str, float | None]  # AP of IoU 0.50 to 0.95, by class name
    text: str  # COCOeval's own summary
    evaluation: Any  # the COCOeval itself, for the host's tables


def class_names(truth: COCO) -> list[str]:
    """Return the names in the order of category ids; a repeated name carries its id."""
    categories = [truth.cats[key] for key in sorted(truth.cats)]
    counts = Counter(c["name"] for c in categories)
    return [
        c["name"] if counts[c["name"]] == 1 else f"{c['name']} (id {c['id']})" for c in categories
    ]


def judge(truth: COCO, detections: list[dict[str, Any]]) -> Judgement:
    """Compare detections (COCO results; none at all will do) with the truth; neither changes."""
    log = io.StringIO()
    with contextlib.redirect_stdout(log):
        evaluation = COCOeval(
            _index(truth, truth.dataset.get("annotations", [])),
            _index(truth, [_as_annotation(d) for d in detections]),
            "bbox",
        )
        evaluation.evaluate()
        evaluation.accumulate()
    summary = io.StringIO()
    with contextlib.redirect_stdout(summary):
        evaluation.summarize()
    precision = evaluation.eval["precision"]  # (IoU, recall, class, area, most detections)
    return Judgement(
        figures={
            name: _fraction(value) for name, value in zip(FIGURES, evaluation.stats, strict=True)
        },
        class_ap={
            name: _mean(precision[:, :, k, 0, -1]) for k, name in enumerate(class_names(truth))
        },
        text=summary.getvalue(),
        evaluation=evaluation,
    )


def _as_annotation(detection: dict[str, Any]) -> dict[str, Any]:
    _, _, width, height = detection["bbox"]
    return {**detection, "area": width * height, "iscrowd": 0}


def _index(truth: COCO, annotations: list[dict[str, Any]]) -> COCO:
    """Index copies of the annotations under fresh ids: to COCOeval an id of 0 means "no match"."""
    indexed = COCO()
    indexed.dataset = {
        "images": truth.dataset["images"],
        "categories": truth.dataset["categories"],
        "annotations": [{**a, "id": number} for number, a in enumerate(annotations, start=1)],
    }
    indexed.createIndex()
    return indexed


def _fraction(value: float) -> float | None:
    return float(value) if value > -1 else None


def _mean(precision: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    defined = precision[precision > -1]
    return float(defined.mean()) if defined.size else None

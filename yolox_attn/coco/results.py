"""COCO results: detections read, checked against a truth, and written."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from yolox_attn.coco.annotations import Truth, read_json
from yolox_attn.coco.checks import is_box, is_number
from yolox_attn.errors import InputError
from yolox_attn.runs import DETECTIONS_NAME, write_json, write_text

EVALUATION_NAME = "evaluation.json"
Detections = Sequence[dict[str, Any]]  # image_id, category_id, bbox (x, y, w, h in pixels), score


def read_detections(path: Path) -> list[dict[str, Any]]:
    """Read a COCO results json: a list of image_id, category_id, bbox, score.

    Raises:
        InputError: unreadable, no json, or no list of objects.
    """
    content, _ = read_json(path, "results file")
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{path} is no COCO results file: it must hold a list of detections")
    return content


def renumbered(truth: Truth, detections: Detections, origin: str) -> Iterator[dict[str, Any]]:
    """Check detections and yield those of listed classes, with places of `truth` as ids.

    Raises:
        InputError: no finite score or box, or an unlisted image; the message begins with `origin`.
    """
    image_places = {key: place for place, key in enumerate(truth.image_ids)}
    class_places = {key: place for place, key in enumerate(truth.class_ids)}
    for number, entry in enumerate(detections, start=1):
        where = f"{origin}: detection {number}"
        score, box = entry.get("score"), entry.get("bbox")
        image, category = (_hashable(entry.get(key)) for key in ("image_id", "category_id"))
        if image not in image_places:
            raise InputError(f"{where}: the truth has no image {image!r}")
        if not is_number(score):
            raise InputError(f"{where}: score is {score!r}, not a finite number")
        if not is_box(box):  # however large: young networks predict such boxes
            raise InputError(f"{where}: bbox is {box!r}, not four finite numbers")
        if category in class_places:
            yield {
                "image_id": image_places[image],
                "category_id": class_places[category],
                "bbox": [float(side) for side in box],
                "score": score,
                "area": float(box[2]) * float(box[3]),
                "iscrowd": 0,
            }


def write_detections(folder: Path, detections: Detections) -> Path:
    """Write detections.json, one detection a line, and return its path."""
    lines = ",\n".join(json.dumps(detection) for detection in detections)
    write_text(folder / DETECTIONS_NAME, f"[\n{lines}\n]\n")
    return folder / DETECTIONS_NAME


def write_evaluation(folder: Path, detections: Detections, report: dict[str, Any]) -> list[Path]:
    """Write detections.json, then evaluation.json with the metrics; return their paths."""
    written = write_detections(folder, detections)
    write_json(folder / EVALUATION_NAME, report)
    return [written, folder / EVALUATION_NAME]


def _hashable(key: object) -> object:
    """Return an id, or the text of what can be none, such as a list."""
    return key if isinstance(key, int | float | str) else repr(key)

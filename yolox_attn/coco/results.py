"""COCO results: detections read, checked against a truth, and written."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.annotations import Truth, read_json
from yolox_attn.coco.checks import is_box, is_number
from yolox_attn.errors import InputError
from yolox_attn.runs import DETECTIONS_NAME, write_json, write_text

EVALUATION_NAME = "evaluation.json"
Detections = Sequence[dict[str, Any]]  # image_id, category_id, bbox (x, y, w, h in pixels), score


@dataclass(frozen=True)
class CheckedDetections:
    """Detections of listed classes: all that matching needs of them, in far less memory.

    Attributes:
        rows: (D, 7) image, x, y, w, h (pixels), score, class, as `loadRes` takes them; image and
            class are places of the truth.
        unknown_categories: detections of categories that the truth does not list, left out.
    """

    rows: NDArray[np.float64]
    unknown_categories: int


def read_detections(path: Path) -> list[dict[str, Any]]:
    """Read a COCO results json: a list of image_id, category_id, bbox, score.

    Raises:
        InputError: unreadable, no json, or no list of objects.
    """
    content, _ = read_json(path, "results file")
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{path} is no COCO results file: it must hold a list of detections")
    return content


def check_detections(truth: Truth, detections: Detections, origin: str) -> CheckedDetections:
    """Check detections, and keep those of listed classes in numbers.

    Raises:
        InputError: no finite score or box, or an unlisted image; the message begins with `origin`.
    """
    rows = _rows_at_once(truth, detections)
    if rows is None:  # one of them is wrong, or of a type that json does not know
        listed = list(_rows_one_by_one(truth, detections, origin))
        rows = np.array(listed, dtype=np.float64).reshape(-1, 7)
    return CheckedDetections(rows, len(detections) - len(rows))


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


def _rows_at_once(truth: Truth, detections: Detections) -> NDArray[np.float64] | None:
    """Return what `_rows_one_by_one` yields, sooner; None where only that can tell what it is."""
    columns: list[list[Any]] = [
        [each.get(key) for each in detections]
        for key in ("image_id", "category_id", "bbox", "score")
    ]
    images, categories, boxes, scores = columns
    if not _are(chain(images, categories), int, float, str) or not _are(boxes, list):
        return None
    sides = list(chain.from_iterable(boxes))
    if set(map(len, boxes)) - {4} or not _are(chain(sides, scores), int, float):
        return None
    image_places, class_places = _places(truth)
    rows = np.empty((len(detections), 7))
    try:
        rows[:, 0] = [image_places.get(image, -1) for image in images]
        rows[:, 1:5] = np.array(sides, dtype=np.float64).reshape(-1, 4)
        rows[:, 5] = scores
        rows[:, 6] = [class_places.get(category, -1) for category in categories]
    except OverflowError:  # an integer of hundreds of digits
        return None
    finite = (np.abs(rows) < sys.float_info.max).all()
    return rows[rows[:, 6] >= 0] if finite and (rows[:, 0] >= 0).all() else None


def _rows_one_by_one(
    truth: Truth, detections: Detections, origin: str
) -> Iterator[tuple[float, ...]]:
    """Yield the rows of listed classes, and refuse the first detection that cannot work."""
    image_places, class_places = _places(truth)
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
            yield image_places[image], *box, score, class_places[category]


def _places(truth: Truth) -> tuple[dict[Any, int], dict[Any, int]]:
    """Return the place of every image's and every category's id."""
    image_places, class_places = (
        {key: place for place, key in enumerate(ids)} for ids in (truth.image_ids, truth.class_ids)
    )
    return image_places, class_places


def _are(values: Iterable[object], *types: type) -> bool:
    return set(map(type, values)) <= set(types)


def _hashable(key: object) -> object:
    """Return an id, or the text of what can be none, such as a list."""
    return key if isinstance(key, int | float | str) else repr(key)

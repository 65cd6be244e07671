"""COCO results, read and checked against a truth."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.stats.truth import Truth, checked_box, read_json


def read_detections(path: Path) -> list[dict[str, Any]]:
    """Read a COCO results json: a list of image_id, category_id, bbox, score.

    Raises:
        InputError: unreadable, no json, or no list of objects.
    """
    content = read_json(path)
    if not isinstance(content, list) or not all(isinstance(entry, dict) for entry in content):
        raise InputError(f"{path} is no COCO results file: it must hold a list of detections")
    return content


def placed(
    truth: Truth, detections: Sequence[dict[str, Any]], origin: str
) -> Iterator[dict[str, Any]]:
    """Check detections and yield those of listed classes, with places of `truth` as ids.

    Raises:
        InputError: no finite score or box, or an unlisted image; the message begins with `origin`.
    """
    image_places = {key: place for place, key in enumerate(truth.image_ids)}
    class_places = {key: place for place, key in enumerate(truth.class_ids)}
    for number, entry in enumerate(detections, start=1):
        where, score = f"{origin}: detection {number}", entry.get("score")
        image, kind = (_plain(entry.get(key)) for key in ("image_id", "category_id"))
        if image not in image_places:
            raise InputError(f"{where}: the truth has no image {image!r}")
        if not isinstance(score, int | float) or not math.isfinite(score):
            raise InputError(f"{where}: score is {score!r}, not a finite number")
        box = checked_box(entry, where)
        if (place := class_places.get(kind)) is not None:
            yield {
                "image_id": image_places[image],
                "category_id": place,
                "bbox": box,
                "score": score,
                "area": box[2] * box[3],
                "iscrowd": 0,
            }


def _plain(key: object) -> object:
    """Return an id, or the text of what can be none, such as a list."""
    return key if isinstance(key, int | float | str) else repr(key)

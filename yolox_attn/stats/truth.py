"""COCO truth and COCO results, checked and renumbered for the matching."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError


@dataclass(frozen=True)
class Truth:
    """A truth file's images and classes in the order of their ids, and its objects.

    Attributes:
        images: the image entries; everywhere in `stats` an image is its place in this list.
        class_ids, class_names: of the categories; a class is its place in these.
        objects: copies of the annotations that hold such places as image_id and category_id,
            with id from 1 (to pycocotools a match with an object of id 0 is none), area, iscrowd.
    """

    images: tuple[dict[str, Any], ...]
    class_ids: tuple[Any, ...]
    class_names: tuple[str, ...]
    objects: tuple[dict[str, Any], ...]

    @property
    def image_ids(self) -> tuple[Any, ...]:
        """The images' own ids, ascending."""
        return tuple(image["id"] for image in self.images)


def read_truth(path: Path) -> Truth:
    """Read a COCO instances json.

    Raises:
        InputError: unreadable, no json, or what `truth_from` refuses.
    """
    return truth_from(read_json(path), str(path))


def truth_from(content: object, origin: str = "the truth") -> Truth:
    """Check the content of a COCO instances json and put it in order.

    A missing iscrowd is 0; an area that is no positive number is the box's, as in training.

    Raises:
        InputError: images or categories missing or without ids of their own, objects of unlisted
            images or classes or without a box. The message begins with `origin`.
    """
    if not isinstance(content, dict):
        raise InputError(f"{origin} holds a {type(content).__name__}, not a COCO object")
    images = _in_order(content, "images", origin)
    categories = _in_order(content, "categories", origin)
    image_places = {image["id"]: place for place, image in enumerate(images)}
    class_places = {category["id"]: place for place, category in enumerate(categories)}
    objects = []
    for number, entry in enumerate(_entries(content, "annotations", origin), start=1):
        where = f"{origin}: annotation {number}"
        image = _place(image_places, entry, "image_id", where)
        category = _place(class_places, entry, "category_id", where)
        box = checked_box(entry, where)
        area = entry.get("area")
        known = isinstance(area, int | float) and 0 < area < math.inf
        objects.append(
            {
                "id": number,
                "image_id": image,
                "category_id": category,
                "bbox": box,
                "area": area if known else box[2] * box[3],
                "iscrowd": int(entry.get("iscrowd") or 0),
            }
        )
    return Truth(
        tuple(images), tuple(class_places), tuple(_class_names(categories)), tuple(objects)
    )


def read_json(path: Path) -> Any:
    """Return a json file's content.

    Raises:
        InputError: the file cannot be read or is no json.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is no json that can be read: {error}") from error


def checked_box(entry: dict[str, Any], where: str) -> list[float]:
    """Return the entry's box, [x, y, width, height] in pixels.

    Raises:
        InputError: it is not four finite numbers.
    """
    box = entry.get("bbox")
    fine = isinstance(box, list | tuple) and len(box) == 4
    if not fine or not all(isinstance(v, int | float) and math.isfinite(v) for v in box or ()):
        raise InputError(f"{where}: bbox is {box!r}, not four finite numbers")
    return [float(v) for v in box or ()]


def _entries(content: dict[str, Any], key: str, origin: str) -> list[dict[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise InputError(f"{origin} has no list of objects {key!r}, which a COCO file needs")
    return entries


def _in_order(content: dict[str, Any], key: str, origin: str) -> list[dict[str, Any]]:
    entries = _entries(content, key, origin)
    if not entries:
        raise InputError(f"{origin} lists no {key}")
    ids = [entry.get("id") for entry in entries]
    kinds = {type(each) for each in ids}
    if kinds != {int} and kinds != {str}:
        raise InputError(f"{origin}: ids of {key} must all be whole numbers, or all be texts")
    if repeated := [each for each, count in Counter(ids).items() if count > 1]:
        raise InputError(f"{origin}: {len(repeated)} ids of {key} repeat, as {repeated[0]!r}")
    return sorted(entries, key=lambda entry: entry["id"])


def _place(places: dict[Any, int], entry: dict[str, Any], key: str, where: str) -> int:
    value = entry.get(key)
    if not isinstance(value, int | str) or value not in places:
        raise InputError(f"{where}: {key} {value!r} is not listed")
    return places[value]


def _class_names(categories: Sequence[dict[str, Any]]) -> Iterable[str]:
    names = [str(category.get("name", category["id"])) for category in categories]
    counts = Counter(names)
    for name, category in zip(names, categories, strict=True):
        yield name if counts[name] == 1 else f"{name} (id {category['id']})"

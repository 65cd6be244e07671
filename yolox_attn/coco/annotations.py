"""COCO annotation files: read once, checked, and renumbered for those that only evaluate."""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.coco.checks import find_faults, image_name, is_number
from yolox_attn.console import called_as, count
from yolox_attn.errors import InputError
from yolox_attn.runs.codec import parsed

ANNOTATIONS = "annotations"  # folder of a data set in COCO layout


@dataclass(frozen=True)
class Annotations:
    """A checked annotation file: its content, and the hash of its bytes."""

    file: Path
    content: dict[str, Any]
    sha256: str

    @property
    def categories(self) -> list[tuple[int, str]]:
        """(id, name) of every category, sorted by id: the order of YOLOX's class indices."""
        return sorted((entry["id"], entry["name"]) for entry in self.content["categories"])

    @property
    def image_names(self) -> list[str]:
        """The file name of every image, relative to the image folder."""
        return [image_name(image) for image in self.content["images"]]


@dataclass(frozen=True)
class Truth:
    """Images, classes and objects under numbers from 0, in the order of their ids.

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


def read_annotations(file: Path) -> Annotations:
    """Read a COCO instances file, and check that YOLOX and pycocotools can work with it.

    Raises:
        InputError: unreadable, no json, or one of the faults of `find_faults`.
    """
    content, sha256 = read_json(file)
    return Annotations(file, check_annotations(content, str(file)), sha256)


def read_truth(file: Path) -> Truth:
    """Read a COCO instances file that only evaluates; its images need not be there.

    Raises:
        InputError: unreadable, no json, or what `truth_from` refuses.
    """
    return truth_from(read_json(file)[0], str(file))


def truth_from(content: object, origin: str = "the truth") -> Truth:
    """Check the content of a COCO instances file and renumber it.

    A missing iscrowd is 0; an area that is no positive number is the box's, as in training.

    Raises:
        InputError: a fault that `find_faults` sees in files that only evaluate. The message begins
            with `origin`.
    """
    content = check_annotations(content, origin, images_needed=False)
    images, categories = (
        sorted(content[key], key=lambda entry: entry["id"]) for key in ("images", "categories")
    )
    image_places, class_places = (
        {entry["id"]: place for place, entry in enumerate(entries)}
        for entries in (images, categories)
    )
    objects = tuple(
        {
            "id": number,
            "image_id": image_places[entry["image_id"]],
            "category_id": class_places[entry["category_id"]],
            "bbox": [float(side) for side in entry["bbox"]],
            "area": area_of(entry),
            "iscrowd": int(entry.get("iscrowd") or 0),
        }
        for number, entry in enumerate(content["annotations"], start=1)
    )
    return Truth(tuple(images), tuple(class_places), tuple(class_names(categories)), objects)


def read_json(file: Path, kind: str = "annotation file") -> tuple[Any, str]:
    """Return the content of a json file, unchecked, and the hash of its bytes; `kind` names it.

    Raises:
        InputError: unreadable, or no json.
    """
    if file.exists() and not file.is_file():
        raise InputError(f"cannot read {kind} {file}: it is no regular file")
    try:
        raw = file.read_bytes()
        content = parsed(raw)
    except OSError as error:
        raise InputError(f"cannot read {kind} {file}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{file} is no valid json: {place}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no UTF-8 text: byte {error.start}") from error
    except RecursionError as error:
        raise InputError(f"{file} is no json that can be read: nested too deeply") from error
    except ValueError as error:  # a number of too many digits
        raise InputError(f"{file} is no json that can be read: {error}") from error
    return content, hashlib.sha256(raw).hexdigest()


def check_annotations(
    content: object, origin: str, *, images_needed: bool = True
) -> dict[str, Any]:
    """Return `content` if it can be worked with; `images_needed` as in `find_faults`.

    Raises:
        InputError: names the first of its faults and how many more kinds, behind `origin`.
    """
    faults = find_faults(content, images_needed=images_needed)
    if faults or not isinstance(content, dict):
        others = count(len(faults) - 1, "more kind")
        see = f"; and {others} of error, see {called_as('doctor')}" if len(faults) > 1 else ""
        raise InputError(f"{origin}{faults[0].text}{see}")
    return content


def area_of(entry: dict[str, Any]) -> float:
    """Return an annotation's area; where that is no positive number, its box's."""
    area = entry.get("area")
    return float(area if is_number(area) and area > 0 else entry["bbox"][2] * entry["bbox"][3])


def class_names(categories: Sequence[dict[str, Any]]) -> list[str]:
    """Return the categories' names; a repeated one carries its id, a missing one is its id."""
    names = [str(category.get("name", category["id"])) for category in categories]
    counts = Counter(names)
    return [
        name if counts[name] == 1 else f"{name} (id {category['id']})"
        for name, category in zip(names, categories, strict=True)
    ]

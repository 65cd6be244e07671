"""COCO annotation files: read once, and refused with one clear line where they cannot work."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from yolox_attn.errors import InputError

KEYS = ("images", "annotations", "categories")
LARGEST = 1e9  # pixels; what is beyond is no measure of an image, nor are inf and nan


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


def image_name(image: dict[str, Any]) -> str:
    """Return an image entry's file name; YOLOX derives a missing one from the id, as COCO does."""
    return str(image.get("file_name") or f"{image['id']:012}.jpg")


def read_annotations(file: Path) -> Annotations:
    """Read and check a COCO instances file.

    Raises:
        InputError: unreadable, no json, or one of the faults of `check_annotations`.
    """
    try:
        raw = file.read_bytes()
        content = json.loads(raw.decode("utf-8"))
    except OSError as error:
        raise InputError(f"cannot read annotation file {file}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{file} is no valid json: {place}: {error.msg}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is no UTF-8 text: byte {error.start}") from error
    except (ValueError, RecursionError) as error:  # a number of too many digits, too deep a nest
        raise InputError(f"{file} is no json that can be read: {error}") from error
    return Annotations(file, check_annotations(content, file), hashlib.sha256(raw).hexdigest())


def check_annotations(content: object, file: Path) -> dict[str, Any]:
    """Return the content of `file` if YOLOX and pycocotools can work with it.

    Raises:
        InputError: missing keys, no images or categories, ids that repeat or are no integers,
            annotations of unknown images or categories, images without size, boxes that are
            not four finite numbers, areas that are no number, iscrowd other than 0 or 1,
            categories without a name of their own, file names that leave the image folder.
    """
    if not isinstance(content, dict):
        raise InputError(f"{file} holds a json {type(content).__name__}, not a COCO object")
    for key in KEYS:
        entries = content.get(key)
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            raise InputError(f"{file} has no list of objects {key!r}; COCO files need {KEYS}")
        if not entries and key != "annotations":
            raise InputError(f"{file} lists no {key}")
        _check_ids(entries, key, file)
    _refuse(file, "images without a positive width and height", _unsized(content["images"]))
    _check_file_names(content["images"], file)
    _check_categories(content["categories"], file)
    for key, entries in (("image", content["images"]), ("category", content["categories"])):
        ids = {entry["id"] for entry in entries}
        strangers = (
            f"annotation {entry['id']}: {key} {entry.get(f'{key}_id')!r}"
            for entry in content["annotations"]
            if type(entry.get(f"{key}_id")) is not int or entry[f"{key}_id"] not in ids
        )
        _refuse(file, f"annotations of no listed {key}", strangers)
    _check_values(content["annotations"], file)
    return content


def stays_inside(name: str) -> bool:
    """Return whether a file name of a json stays in its folder: relative, and without "..".

    Links on the disk are followed: who owns the disk made them, not who wrote the json.
    """
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            return False
    return "\0" not in name


def missing_images(folder: Path, names: Iterable[str]) -> list[str]:
    """Return the names that are no files below `folder`, by one directory listing a folder."""
    names = list(names)
    present: set[str] = set()
    for parent in {os.path.dirname(name) for name in names}:  # noqa: PTH120 - 10x Path's speed
        if (folder / parent).is_dir():
            listed = os.scandir(folder / parent)
            # A link into nowhere is listed, but is no file.
            present.update(os.path.join(parent, e.name) for e in listed if e.is_file())  # noqa: PTH118
    # A second look at the rest: the file system may not distinguish case, or the name holds "..".
    return [name for name in names if name not in present and not (folder / name).is_file()]


def shortlist(items: Iterable[str], most: int = 3) -> str:
    """Join the first few items, and say with dots that there are more."""
    items = list(items)
    return ", ".join(items[:most]) + (", ..." if len(items) > most else "")


def _refuse(file: Path, fault: str, cases: Iterable[str]) -> None:
    if found := list(cases):
        raise InputError(f"{file}: {fault}: {len(found)} ({shortlist(found)})")


def _check_ids(entries: list[dict[str, Any]], key: str, file: Path) -> None:
    wrong = (repr(entry.get("id")) for entry in entries if type(entry.get("id")) is not int)
    _refuse(file, f"{key} whose id is no integer", wrong)
    counts = Counter(entry["id"] for entry in entries)
    _refuse(file, f"ids of {key} that repeat", (str(index) for index, n in counts.items() if n > 1))


def _check_categories(categories: list[dict[str, Any]], file: Path) -> None:
    nameless = (str(e["id"]) for e in categories if not isinstance(e.get("name"), str))
    _refuse(file, "categories without a name", nameless)
    counts = Counter(entry["name"] for entry in categories)
    _refuse(file, "category names that repeat", (name for name, n in counts.items() if n > 1))


def _check_file_names(images: list[dict[str, Any]], file: Path) -> None:
    kinds = (repr(e["file_name"]) for e in images if not isinstance(e.get("file_name", ""), str))
    _refuse(file, "images whose file_name is no text", kinds)
    fault = "file names that leave the image folder (absolute, or with ..)"
    _refuse(file, fault, (name for image in images if not stays_inside(name := image_name(image))))


def _check_values(annotations: list[dict[str, Any]], file: Path) -> None:
    kinds = (
        ("bbox", "annotations without a bbox of four finite numbers", _is_box),
        ("area", "annotations whose area is no number", _is_area),
        ("iscrowd", "annotations whose iscrowd is neither 0 nor 1", _is_flag),
    )
    for key, fault, is_right in kinds:
        wrong = (e for e in annotations if not is_right(e.get(key)))
        _refuse(file, fault, (f"annotation {e['id']}: {e.get(key)!r}" for e in wrong))


def _is_area(area: object) -> bool:
    return area is None or isinstance(area, int | float)  # missing, 0 or nan: computed anew


def _is_flag(flag: object) -> bool:
    return flag is None or (isinstance(flag, int | float) and flag in (0, 1))


def _unsized(images: list[dict[str, Any]]) -> Iterable[str]:
    for image in images:
        sides = (image.get("width"), image.get("height"))
        if not all(isinstance(side, int | float) and 0 < side < LARGEST for side in sides):
            yield image_name(image)


def _is_box(box: object) -> bool:
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(side, int | float) and -LARGEST < side < LARGEST for side in box)
    )

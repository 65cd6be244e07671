"""What a COCO annotation file must be for YOLOX and pycocotools, and all that one is not."""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, TypeGuard

from yolox_attn.console import shortlist

KEYS = ("images", "annotations", "categories")
LARGEST_ID = 2**63  # ids travel through arrays of 64 bits
THINNEST = 300  # of an image's sides; at 320 pixels the shorter one then still has one
LARGEST = 1e9  # pixels; what is beyond is no measure of an image, nor are inf and nan
Entry = dict[str, Any]
Content = dict[str, list[Entry]]


@dataclass(frozen=True)
class Fault:
    """One kind of fault.

    Attributes:
        what: is wrong.
        key: whose entries are wrong; None where it is the file as a whole.
        cases: place of each wrong entry in the list, and what is said of it.
    """

    what: str
    key: str | None = None
    cases: tuple[tuple[int, str], ...] = ()

    @property
    def examples(self) -> tuple[str, ...]:
        """What is said of the wrong entries, each thing once."""
        return tuple(dict.fromkeys(text for _, text in self.cases))

    @property
    def text(self) -> str:
        """The words to be put behind the name of the file."""
        if self.key is None:
            return f" {self.what}"
        return f": {self.what}: {len(self.cases)} ({shortlist(self.examples)})"


def find_faults(content: object, *, images_needed: bool = True) -> list[Fault]:
    """Return all kinds of fault, the first to be fixed first.

    They are: missing keys, no images or categories, ids that repeat or are no integers, images
    without size, file names that leave the image folder, categories without a name of their own,
    annotations of unknown images or categories, boxes that are not four finite numbers, areas that
    are no number, iscrowd other than 0 or 1. Of a file that lacks a list the rest is not looked at.

    Args:
        content: of the file.
        images_needed: False for a file that only evaluates. Ids may then be texts, annotations need
            none, and no fault are images without size or file, categories without a name of their
            own, areas that are no number, and boxes of any finite size.
    """
    if not isinstance(content, dict):
        return [Fault(f"holds a json {type(content).__name__}, not a COCO object")]
    if faults := list(_faults_of_lists(content)):
        return faults
    id_types = {key: int if images_needed else _id_type(content[key]) for key in KEYS}
    for key in KEYS:
        if images_needed or key != "annotations":
            faults += _faults_of_ids(content[key], key, id_types[key])
    if images_needed:
        faults += _faults_of_images(content["images"])
        faults += _faults_of_categories(content["categories"])
    for key, name in (("images", "image"), ("categories", "category")):
        faults.append(_unlisted(content, key, name, id_types[key]))
    faults += _faults_of_values(content["annotations"], strict=images_needed)
    return [fault for fault in faults if fault.cases]


def without(content: Content, faults: Iterable[Fault]) -> Content:
    """Return a copy of the lists without the entries that the faults name."""
    wrong: dict[str, set[int]] = {key: set() for key in KEYS}
    for fault in faults:
        if fault.key is not None:
            wrong[fault.key].update(place for place, _ in fault.cases)
    return {
        key: [entry for place, entry in enumerate(content[key]) if place not in wrong[key]]
        for key in KEYS
    }


def sound_part(content: object) -> Content | None:
    """Return what is left of a content without its wrong entries; None if that is nothing."""
    if not isinstance(content, dict):
        return None
    while faults := find_faults(content):
        if any(fault.key is None for fault in faults):
            return None
        content = without(content, faults)
    return {key: content[key] for key in KEYS}


def image_name(image: dict[str, Any]) -> str:
    """Return an image entry's file name; YOLOX derives a missing one from the id, as COCO does."""
    return str(image.get("file_name") or f"{image['id']:012}.jpg")


def shown_name(image: dict[str, Any]) -> str:
    """Return the name for a message: one that is nowhere in the json is said to be made."""
    return image_name(image) + ("" if image.get("file_name") else " (a name made from the id)")


def is_number(value: object, limit: float = sys.float_info.max) -> TypeGuard[float]:
    """Return whether a json's value is a number between -limit and limit: not inf, nor nan."""
    return isinstance(value, int | float) and abs(value) < limit


def is_box(box: object, limit: float = sys.float_info.max) -> TypeGuard[Sequence[float]]:
    """Return whether a json's value is four such numbers."""
    if not isinstance(box, list | tuple) or len(box) != 4:
        return False
    return all(is_number(side, limit) for side in box)


def _faults_of_lists(content: Entry) -> Iterator[Fault]:
    for key in KEYS:
        entries = content.get(key)
        if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
            yield Fault(f"has no list of objects {key!r}; COCO files need {KEYS}")
        elif not entries and key != "annotations":
            yield Fault(f"lists no {key}")


def _id_type(entries: list[Entry]) -> type:
    """Return texts where all ids are, else integers."""
    return str if all(type(entry.get("id")) is str for entry in entries) else int


def _faults_of_ids(entries: list[Entry], key: str, kind: type) -> Iterator[Fault]:
    ids = [entry.get("id") for entry in entries]
    wrong = ((n, repr(index)) for n, index in enumerate(ids) if type(index) is not kind)
    yield Fault(f"{key} whose id is no integer", key, tuple(wrong))
    numbers = ((n, index) for n, index in enumerate(ids) if type(index) is int)
    far = (
        (n, _shown_number(index)) for n, index in numbers if not -LARGEST_ID <= index < LARGEST_ID
    )
    yield Fault(f"{key} whose id has more than 64 bits", key, tuple(far))
    yield _repeated(f"{key} that share their id", key, ids, kind)


def _repeated(what: str, key: str, values: list[Any], kind: type) -> Fault:
    """Return the entries of values that occur more than once."""
    counts = Counter(value for value in values if type(value) is kind)
    cases = ((n, str(v)) for n, v in enumerate(values) if type(v) is kind and counts[v] > 1)
    return Fault(what, key, tuple(cases))


def _faults_of_images(images: list[Entry]) -> Iterator[Fault]:
    key = "images"
    sound = [(n, e) for n, e in enumerate(images) if type(e.get("id")) is int]
    unsized = ((n, shown_name(e)) for n, e in sound if not _is_sized(e))
    yield Fault("images without a positive width and height", key, tuple(unsized))
    kinds = ((n, repr(e["file_name"])) for n, e in sound if not _is_text(e.get("file_name", "")))
    yield Fault("images whose file_name is no text", key, tuple(kinds))
    names = [(n, image_name(e)) for n, e in sound if _is_text(e.get("file_name", ""))]
    leaving = tuple(case for case in names if not _stays_inside(case[1]))
    yield Fault("file names that leave the image folder (absolute, or with ..)", key, leaving)
    null = tuple(case for case in names if "\0" in case[1])
    yield Fault("file names with a NUL character", key, null)
    thin = ((n, f"{shown_name(e)}: {e['width']}x{e['height']}") for n, e in sound if _is_thin(e))
    what = f"images more than {THINNEST} times as long as wide: a side would have no pixel left"
    yield Fault(what, key, tuple(thin))


def _faults_of_categories(categories: list[Entry]) -> Iterator[Fault]:
    names = [entry.get("name") for entry in categories]
    nameless = ((n, str(e.get("id"))) for n, e in enumerate(categories) if not _is_text(names[n]))
    yield Fault("categories without a name", "categories", tuple(nameless))
    yield _repeated("categories that share their name", "categories", names, str)
    texts = ((n, str(name)) for n, name in enumerate(names) if _is_text(name))
    odd = tuple((n, name) for n, name in texts if not _is_unicode(name))
    yield Fault("categories whose name is no Unicode text (a lone surrogate)", "categories", odd)


def _unlisted(content: Content, key: str, name: str, kind: type) -> Fault:
    """Return the annotations of images or categories that are not listed."""
    ids = [entry.get("id") for entry in content[key]]
    if any(type(index) is not kind for index in ids):
        return Fault("")  # a fault of its own; what it causes here is not reported again
    listed = set(ids)
    cases = (
        (n, f"annotation {entry.get('id')}: {name} {entry.get(f'{name}_id')!r}")
        for n, entry in enumerate(content["annotations"])
        if type(entry.get(f"{name}_id")) is not kind or entry[f"{name}_id"] not in listed
    )
    return Fault(f"annotations of no listed {name}", "annotations", tuple(cases))


def _faults_of_values(annotations: list[Entry], *, strict: bool) -> Iterator[Fault]:
    limit = LARGEST if strict else sys.float_info.max
    no_box = "annotations without a bbox of four finite numbers"
    kinds = (
        ("bbox", no_box, lambda box: is_box(box, limit)),
        ("area", "annotations whose area is no number", lambda area: not strict or _is_area(area)),
        ("iscrowd", "annotations whose iscrowd is neither 0 nor 1", _is_flag),
    )
    for key, what, is_right in kinds:
        cases = (
            (n, f"annotation {entry.get('id')}: {entry.get(key)!r}")
            for n, entry in enumerate(annotations)
            if not is_right(entry.get(key))
        )
        yield Fault(what, "annotations", tuple(cases))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_area(area: object) -> bool:
    """Tell whether there is no area, or a number; 0 and nan are computed anew."""
    return area is None or isinstance(area, float) or is_number(area)


def _is_thin(image: Entry) -> bool:
    if not _is_sized(image):
        return False
    sides = sorted((image["width"], image["height"]))
    return bool(sides[1] > THINNEST * sides[0])


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown_number(number: int) -> str:
    return (
        f"{number:.3e}" if abs(number) < sys.float_info.max else "an integer of hundreds of digits"
    )


def _is_flag(flag: object) -> bool:
    return flag is None or (isinstance(flag, int | float) and flag in (0, 1))


def _is_sized(image: Entry) -> bool:
    sides = (image.get("width"), image.get("height"))
    return all(is_number(side, LARGEST) and side > 0 for side in sides)


def _stays_inside(name: str) -> bool:
    """Return whether a file name of a json stays in its folder: relative, and without "..".

    Links on the disk are followed: who owns the disk made them, not who wrote the json.
    """
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            return False
    return True

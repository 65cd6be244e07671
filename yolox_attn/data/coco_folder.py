"""A folder in COCO layout, understood and checked before anything is built on it."""

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from yolox_attn.coco.annotations import ANNOTATIONS, Annotations, read_annotations
from yolox_attn.coco.checks import image_name, shown_name
from yolox_attn.console import shortlist
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded

SPLIT = re.compile(r"(?<![a-z])(train|val|test)(?:ing|id|idation)?(?![a-z])")
OTHER_TASKS = ("captions", "image_info", "panoptic", "person_keypoints", "stuff")


class Split(NamedTuple):
    """A split as YOLOX's COCODataset wants it."""

    ann: str  # a file in annotations/
    name: str  # its image folder, relative to the root


@dataclass(frozen=True)
class CocoFolder:
    """What an experiment must know of its data.

    `classes` are sorted by category id, which is the order of YOLOX's class indices.
    """

    root: Path
    train: Split
    val: Split
    test: Split | None
    classes: tuple[str, ...]


def read_coco_folder(path: Path) -> CocoFolder:
    """Read the folder `path`: annotations/*.json and the images of a train and a val split.

    A file belongs to the split that its name holds: train, val (valid) or test; so does an image
    folder, in `path` or `path`/images. A test split is optional.

    Raises:
        InputError: any of it is missing, broken or contradictory; the message says which.
    """
    root = expanded(path)
    files = annotation_files(root)
    train, val = (read_annotations(need_file(root, files, split)) for split in ("train", "val"))
    for split in (train, val):
        if not split.content["annotations"]:
            raise InputError(f"{split.file} has no annotations: nothing to learn or to judge by")
        _check_same_categories(train, split)
    splits = _need_split(root, train), _need_split(root, val)
    test_split = None
    if test_file := pick_file(files, "test"):
        test = read_annotations(test_file)
        test_split = _split(root, test)
        if test_split:
            _check_same_categories(train, test)
    classes = tuple(name for _, name in train.categories)
    return CocoFolder(root, *splits, test_split, classes)


def annotation_files(root: Path) -> list[Path]:
    """Return the json files of a data folder.

    Raises:
        InputError: there is no folder, or no annotations/ in it.
    """
    if not root.is_dir():
        raise InputError(f"no data folder {root}")
    folder = root / ANNOTATIONS
    if not folder.is_dir():
        present = shortlist(sorted(entry.name for entry in root.iterdir()), 8) or "nothing"
        raise InputError(f"no folder annotations/ in {root}; it holds: {present}")
    return sorted(folder.glob("*.json"))


def pick_file(files: list[Path], split: str) -> Path | None:
    """Return the one annotation file of a split, if any; instances_* wins over other names.

    Raises:
        InputError: there are several.
    """
    own = [file for file in files if split_of(file.stem) == split]
    own = [file for file in own if not file.name.startswith(OTHER_TASKS)]
    own = [file for file in own if file.name.startswith("instances")] or own
    if len(own) > 1:
        names = shortlist((file.name for file in own), 8)
        raise InputError(f"{own[0].parent} has more than one {split} file: {names}")
    return own[0] if own else None


def need_file(root: Path, files: list[Path], split: str) -> Path:
    """Return the one annotation file of a split.

    Raises:
        InputError: there is none, or several.
    """
    file = pick_file(files, split)
    if file is None:
        present = shortlist((file.name for file in files), 8) or "no json file"
        wanted = f"instances_{split}2017.json or another name with {split!r}"
        raise InputError(
            f"no {split} annotations in {root / 'annotations'}: {wanted}; it holds: {present}"
        )
    return file


def find_image_folder(
    root: Path, file: Path, images: Sequence[dict[str, Any]]
) -> tuple[str, list[int]]:
    """Return the folder that holds most images of a split's `file`, and the places of the rest."""
    missing = {name: missing_images(root / name, images) for name in _candidates(root, file)}
    best = min(missing, key=lambda name: len(missing[name]))
    return best, missing[best]


def missing_images(folder: Path, images: Sequence[dict[str, Any]]) -> list[int]:
    """Return the places of the images that are no files below `folder`.

    One directory listing a folder is enough for most.
    """
    names = [image_name(image) for image in images]
    present: set[str] = set()
    for parent in {os.path.dirname(name) for name in names}:  # noqa: PTH120 - 10x Path's speed
        if is_there(folder / parent, Path.is_dir):
            listed = os.scandir(folder / parent)
            # A link into nowhere is listed, but is no file.
            present.update(os.path.join(parent, e.name) for e in listed if _is_file(e))  # noqa: PTH118
    # A second look at the rest: the file system may not distinguish case, or the name holds "..".
    return [
        place
        for place, name in enumerate(names)
        if name not in present and not is_there(folder / name)
    ]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def is_there(path: Path, kind: Callable[[Path], bool] = Path.is_file) -> bool:
    """Tell whether there is a file; a name that the system cannot have names none."""
    try:
        return kind(path)
    except (OSError, ValueError):  # too long, or no text of the file system's
        return False


def refuse_missing(
    lost: Sequence[int], images: Sequence[dict[str, Any]], file: Path, folder: Path
) -> None:
    """Stop here if images of `file`, `lost` their places, are not in `folder`.

    Raises:
        InputError: says how many, and names some.
    """
    if lost:
        shown = shortlist(shown_name(images[place]) for place in lost)
        raise InputError(
            f"{len(lost)} of {len(images)} images of {file} are not in {folder}: {shown}"
        )


def fingerprint(folder: Path, names: Iterable[str]) -> str:
    """Return a hash of the files' names and sizes; a second for a hundred thousand files.

    What was edited without changing its length is not seen.
    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0{(folder / name).stat().st_size}\n".encode(errors="replace"))
    return digest.hexdigest()


def _need_split(root: Path, annotations: Annotations) -> Split:
    split = _split(root, annotations)
    if split is None:
        file, (first, *_) = annotations.file, annotations.image_names
        tried = shortlist((str(root / name) for name in _candidates(root, file)), 9)
        raise InputError(f"the images of {file} ({first}) are not in {tried}")
    return split


def _split(root: Path, annotations: Annotations) -> Split | None:
    """Return a split whose images are all in one folder; None if none of them is anywhere."""
    images = annotations.content["images"]
    name, lost = find_image_folder(root, annotations.file, images)
    if len(lost) == len(images):
        return None
    refuse_missing(lost, images, annotations.file, root / name)
    return Split(annotations.file.name, name)


def _check_same_categories(first: Annotations, second: Annotations) -> None:
    if first.categories == second.categories:
        return
    differing = sorted(set(first.categories) ^ set(second.categories))
    shown = shortlist(f"{index} {name!r}" for index, name in differing)
    raise InputError(f"{first.file} and {second.file} list different categories: {shown}")


def _candidates(root: Path, file: Path) -> Iterator[str]:
    """Yield image folders that `file` may mean, relative to `root`, the likeliest first."""
    split = split_of(file.stem)
    stem = file.stem.removeprefix("instances_")
    parents = [Path(), Path("images")]
    yield from (str(parent / stem) for parent in parents if (root / parent / stem).is_dir())
    for parent in parents:
        for folder in sorted((root / parent).glob("*")):
            if folder.is_dir() and split_of(folder.name) == split and folder.name != stem:
                yield str(parent / folder.name)
    yield from (str(parent) for parent in reversed(parents) if (root / parent).is_dir())


def split_of(name: str) -> str | None:
    """Return the split that a name holds: train, val (valid), test; None for none."""
    match = SPLIT.search(name.lower())
    return match[1] if match else None

"""YOLO: a line "class x y width height" an object, or a polygon, in fractions of the image.

As Ultralytics reads it: images/... beside labels/..., named by data.yaml or by their folders.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from yolox_attn.console import count, printable, shortlist
from yolox_attn.data.coco_folder import split_of
from yolox_attn.data.formats.content import (
    Box,
    Labelled,
    Size,
    Source,
    by_stem,
    content_of,
    images_below,
    size_of,
)
from yolox_attn.data.formats.names import CLASS_FILES, checked_classes, listed_classes, read_lines
from yolox_attn.errors import InputError

SPLITS = ("train", "val", "test")
YAML_SUFFIXES = (".yaml", ".yml")
ROUNDING = 1e-3  # by how much a written fraction may leave the image
OVERHANG = 0.01  # by how much a box of rounded fractions may; or a pixel, if that is more


def find_yaml(path: Path) -> Path | None:
    """Return the data.yaml that `path` is, or that lies in it.

    Raises:
        InputError: several do.
    """
    if path.is_file():
        return path if path.suffix in YAML_SUFFIXES else None
    every = [file for suffix in YAML_SUFFIXES for file in sorted(path.glob(f"*{suffix}"))]
    found = [file for file in every if file.stem == "data"] or list(filter(_is_data_yaml, every))
    if len(found) > 1:
        raise InputError(f"{path} holds several yaml files: {shortlist(f.name for f in found)}")
    return found[0] if found else None


def _is_data_yaml(file: Path) -> bool:
    """Tell whether a yaml of another name lists classes and splits."""
    try:
        content = yaml.safe_load("\n".join(read_lines(file)))
    except (InputError, yaml.YAMLError, ValueError, RecursionError):
        return False
    return isinstance(content, dict) and "names" in content and bool({*content} & {*SPLITS})


def looks_like_yolo(root: Path) -> bool:
    """Tell whether a folder without a data.yaml has YOLO's label files beside its images."""
    return any(labels for _, folder in _folders(root) for labels in _label_files(folder))


def read_yolo(path: Path) -> Source:
    """Read a YOLO set: the folder, or its data.yaml.

    Classes are those of data.yaml's `names`, else of classes.txt or obj.names in the folder or in
    labels/. An image without a label file is background.

    Raises:
        InputError: a file is missing, broken or contradictory; the message names it.
    """
    file = find_yaml(path)
    root = path if path.is_dir() else path.parent
    source = Source("YOLO", {})
    if file is not None:
        names, entries = _read_yaml(file)
        folders = list(_named_images(file, entries, source.looked_for))
    else:
        found = listed_classes([root, root / "labels"])
        if found is None:
            raise InputError(
                f"{root} looks like YOLO, but nothing names its classes: no data.yaml, classes.txt "
                "or obj.names"
            )
        names = found
        folders = [(split, images_below(folder)) for split, folder in _folders(root)]
    used: dict[Path, bool] = {}  # label file -> is it there
    for split, images in folders:
        if not images:
            raise InputError(f"{file or root}: no image in the {split} split")
        _refuse_one_stem(images)
        used |= {label: label.is_file() for label in map(_label_file, images)}
        labelled = [Labelled(image, *_read_labels(image, names)) for image in images]
        source.splits[split] = content_of(labelled, names)
    source.notes += _notes(used)
    return source


def _refuse_one_stem(images: Sequence[Path]) -> None:
    together: dict[Path, list[Path]] = {}
    for image in images:
        together.setdefault(image.parent, []).append(image)
    for parent, neighbours in together.items():
        by_stem(neighbours, parent)


def _notes(used: dict[Path, bool]) -> Iterator[str]:
    """Say what label files are missing, and which have no image; `used` says which are there."""
    folders = {label.parent for label in used if label.parent.is_dir()}
    there = (label for folder in sorted(folders) for label in sorted(folder.glob("*.txt")))
    spare = [label.name for label in there if label not in used and label.name not in CLASS_FILES]
    if spare:
        yield f"{count(len(spare), 'label file')} without an image: {shortlist(spare)}"
    if unlabelled := sum(not is_there for is_there in used.values()):
        yield f"{count(unlabelled, 'image')} without a label file: background"


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the splits of a folder: images/train or train/images or train; else all of it."""
    for base, below in ((root / "images", ""), (root, "images"), (root, "")):
        splits: dict[str, Path] = {}
        for folder in sorted(base.iterdir()) if base.is_dir() else []:
            split, images = split_of(folder.name), folder / below
            if split and images.is_dir() and images_below(images):
                if split in splits:
                    raise InputError(f"{root}: two {split} folders, {splits[split]} and {images}")
                splits[split] = images
        if splits:
            yield from splits.items()
            return
    yield "all", root / "images" if (root / "images").is_dir() else root


def _label_files(folder: Path) -> Iterator[Path]:
    return (label for label in map(_label_file, images_below(folder)) if label.is_file())


def _label_file(image: Path) -> Path:
    """Return an image's label file, which need not be there."""
    places = label_places(image)
    return next((place for place in places if place.is_file()), places[0])


def label_places(image: Path) -> list[Path]:
    """Return where it may be: in labels/ for the last images/ of the path, or beside the image."""
    beside, parts = image.with_suffix(".txt"), list(image.parts)
    if "images" not in parts[:-1]:
        return [beside]
    parts[len(parts) - 2 - parts[:-1][::-1].index("images")] = "labels"
    return [Path(*parts).with_suffix(".txt"), beside]


def _read_yaml(file: Path) -> tuple[list[str], dict[str, Any]]:
    """Return class names, and what the file says of its splits and of `path`."""
    try:
        content = yaml.safe_load("\n".join(read_lines(file)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is no valid yaml: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: needs names, train and val")
    if "kpt_shape" in content:
        raise InputError(f"{file}: labels of key points (kpt_shape); boxes and polygons are read")
    names = _names_of(content, file)
    number = content.get("nc", len(names))
    if number != len(names):
        raise InputError(f"{file}: nc is {number!r}, names are {len(names)}")
    return names, content


def _names_of(content: dict[str, Any], file: Path) -> list[str]:
    """Return the class names of a data.yaml."""
    names = content.get("names")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise InputError(f"{file}: names are numbered {shortlist(map(str, names))}, not from 0")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise InputError(f"{file}: names must be a list of class names, or numbers with names")
    for name in names:  # yaml takes a bare yes for True, and 1.10 for 1.1
        if isinstance(name, bool) or not isinstance(name, str | int):
            raise InputError(f"{file}: the class name {name!r} is no text; put it in quotes")
    return checked_classes([str(name).strip() for name in names], str(file))


def _named_images(
    file: Path, content: dict[str, Any], looked_for: list[Path]
) -> Iterator[tuple[str, list[Path]]]:
    """Yield the splits that a data.yaml names, with their images; add what is `looked_for`."""
    base = content.get("path")
    root = file.parent if base is None else _whole(file.parent / str(base))
    if not os.path.isdir(root):  # noqa: PTH112 - Path.is_dir raises where a name is too long
        looked_for.append(root)
        root = file.parent  # Ultralytics' own files name a folder of the machine they come from
    for split in SPLITS:
        entries = content.get(split)
        if entries in (None, "", []):
            if split != "test":
                raise InputError(f"{file} names no {split} images")
            continue
        entries = entries if isinstance(entries, list) else [entries]
        files = dict.fromkeys(
            image for entry in entries for image in _images_of(str(entry), root, file, looked_for)
        )
        yield split, sorted(files)


def _images_of(entry: str, root: Path, file: Path, looked_for: list[Path]) -> list[Path]:
    # Roboflow writes ../train/images where it means train/images.
    tried = [root / entry, file.parent / entry, file.parent / entry.removeprefix("../")]
    for place in map(_whole, tried):
        looked_for.append(place)
        if os.path.isdir(place):  # noqa: PTH112
            return images_below(place)
        if os.path.isfile(place) and place.suffix == ".txt":  # noqa: PTH113
            listed = [line.strip() for line in read_lines(place) if line.strip()]
            looked_for += [_whole(root / name) for name in listed]
            return [_listed_image(name, place, root) for name in listed]
    raise InputError(f"{file}: {entry!r} is no folder and no list of images below {root}")


def _listed_image(name: str, listing: Path, root: Path) -> Path:
    for image in map(_whole, (root / name, listing.parent / name)):
        if os.path.isfile(image):  # noqa: PTH113
            return image
    raise InputError(f"{listing}: no image {printable(name)}")


def _whole(path: Path) -> Path:
    """Return the path without .. in it, as it is written: below a link the labels are its own."""
    return Path(os.path.abspath(path))  # noqa: PTH100


def _read_labels(image: Path, names: Sequence[str]) -> tuple[Size, tuple[Box, ...]]:
    """Return an image's size and boxes."""
    size, file = size_of(image), _label_file(image)
    lines = read_lines(file) if file.is_file() else []
    boxes = tuple(
        _box(line.split(), names, size, f"{printable(str(file))}, line {number}")
        for number, line in enumerate(lines, start=1)
        if line.strip()
    )
    return size, tuple(dict.fromkeys(boxes))  # Ultralytics drops repeated lines as well


def _box(words: Sequence[str], names: Sequence[str], size: Size, origin: str) -> Box:
    try:
        label, *numbers = map(float, words)
    except ValueError as error:
        raise InputError(f"{origin}: {printable(' '.join(words)[:80])!r} is no label") from error
    polygon = len(numbers) >= 6 and len(numbers) % 2 == 0
    if not (len(numbers) == 4 or polygon):
        raise InputError(
            f"{origin}: {len(words)} numbers; a label is a class and a box (5) or a polygon "
            "(7, 9, ...)"
        )
    if not label.is_integer() or not 0 <= label < len(names):
        raise InputError(f"{origin}: class {words[0]} of classes 0 to {len(names) - 1}")
    if not all(-ROUNDING <= each <= 1 + ROUNDING for each in numbers):
        raise InputError(
            f"{origin}: {printable(' '.join(words[1:])[:80])}: not fractions of the image, 0 to 1"
        )
    if polygon:
        xs, ys = numbers[0::2], numbers[1::2]
        left, top, right, bottom = min(xs), min(ys), max(xs), max(ys)
        fractions = (left, top, right - left, bottom - top)
    else:
        x, y, width, height = numbers
        fractions = (x - width / 2, y - height / 2, width, height)
    left, top, width, height = fractions
    if not (width > 0 and height > 0):
        raise InputError(f"{origin}: the box is empty")
    _refuse_overhang(fractions, size, origin)
    return Box(int(label), left * size[0], top * size[1], width * size[0], height * size[1])


def _refuse_overhang(box: tuple[float, float, float, float], size: Size, origin: str) -> None:
    """Refuse a box that begins in the image and ends far outside: cut off it is another box."""
    for side, start, extent, pixels in zip("xy", box[:2], box[2:], size, strict=True):
        beyond = max(-start, start + extent - 1)
        if beyond > max(OVERHANG, 1 / pixels):
            raise InputError(
                f"{origin}: the box goes from {start:g} to {start + extent:g} in {side}, "
                f"{beyond * pixels:.0f} pixels beyond the image; cut it at 0 and 1"
            )

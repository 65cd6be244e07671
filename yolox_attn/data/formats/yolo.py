"""YOLO: a line "class x y width height" an object, or a polygon, in fractions of the image.

As Ultralytics reads it: images/... beside labels/..., named by data.yaml or by their folders.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import yaml

from yolox_attn.console import count, printable, shortlist
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
from yolox_attn.data.formats.names import checked_classes, listed_classes, read_lines
from yolox_attn.errors import InputError

SPLITS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
YAML_SUFFIXES = (".yaml", ".yml")
ROUNDING = 1e-3  # by how much a written fraction may leave the image


def find_yaml(path: Path) -> Path | None:
    """Return the data.yaml that `path` is, or that lies in it.

    Raises:
        InputError: several do.
    """
    if path.is_file():
        return path if path.suffix in YAML_SUFFIXES else None
    found = [file for suffix in YAML_SUFFIXES for file in sorted(path.glob(f"*{suffix}"))]
    found = [file for file in found if file.stem == "data"] or found
    if len(found) > 1:
        raise InputError(f"{path} holds several yaml files: {shortlist(f.name for f in found)}")
    return found[0] if found else None


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
        folders = list(_named_images(file, entries))
    else:
        found = listed_classes([root, root / "labels"])
        if found is None:
            raise InputError(
                f"{root} looks like YOLO, but nothing names its classes: no data.yaml, classes.txt "
                "or obj.names"
            )
        names = found
        folders = [(split, images_below(folder)) for split, folder in _folders(root)]
    unlabelled = 0
    for split, images in folders:
        if not images:
            raise InputError(f"{file or root}: no image in the {split} split")
        for each in {image.parent for image in images}:
            by_stem([image for image in images if image.parent == each], each)
        unlabelled += sum(not _label_file(image).is_file() for image in images)
        labelled = [Labelled(image, *_read_labels(image, names)) for image in images]
        source.splits[split] = content_of(labelled, names)
    if unlabelled:
        source.notes.append(f"{count(unlabelled, 'image')} without a label file: background")
    return source


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the splits of a folder: images/train or train/images or train; else all of it."""
    found = False
    for split, words in SPLITS.items():
        places = [
            root.joinpath(*parts)
            for word in words
            for parts in (("images", word), (word, "images"), (word,))
        ]
        folder = next((each for each in places if each.is_dir() and images_below(each)), None)
        if folder is not None:
            found = True
            yield split, folder
    if not found:
        yield "all", root / "images" if (root / "images").is_dir() else root


def _label_files(folder: Path) -> Iterator[Path]:
    return (label for label in map(_label_file, images_below(folder)) if label.is_file())


def _label_file(image: Path) -> Path:
    """Return where an image's labels are: labels/ for the last images/ of its path, or beside."""
    parts = list(image.parts)
    if "images" in parts[:-1]:
        place = len(parts) - 2 - parts[:-1][::-1].index("images")
        parts[place] = "labels"
    return Path(*parts).with_suffix(".txt")


def _read_yaml(file: Path) -> tuple[list[str], dict[str, Any]]:
    """Return class names, and what the file says of its splits and of `path`."""
    try:
        content = yaml.safe_load("\n".join(read_lines(file)))
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{file} is no valid yaml: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise InputError(f"{file}: needs names, train and val")
    names = content.get("names")
    if isinstance(names, dict):
        if sorted(names, key=str) != sorted(range(len(names)), key=str):
            raise InputError(f"{file}: names are numbered {shortlist(map(str, names))}, not from 0")
        names = [names[number] for number in range(len(names))]
    if not isinstance(names, list):
        raise InputError(f"{file}: names must be a list of class names, or numbers with names")
    number = content.get("nc", len(names))
    if number != len(names):
        raise InputError(f"{file}: nc is {number}, names are {len(names)}")
    return checked_classes([str(name).strip() for name in names], str(file)), content


def _named_images(file: Path, content: dict[str, Any]) -> Iterator[tuple[str, list[Path]]]:
    """Yield the splits that a data.yaml names, with their images."""
    base = content.get("path")
    root = file.parent if base is None else Path(file.parent, str(base))
    if base is not None and not root.is_dir():
        root = file.parent  # Ultralytics' own files name a folder of the machine they come from
    for split in SPLITS:
        entries = content.get(split)
        if entries is None:
            if split != "test":
                raise InputError(f"{file} names no {split} images")
            continue
        entries = entries if isinstance(entries, list) else [entries]
        files = dict.fromkeys(
            image for entry in entries for image in _images_of(str(entry), root, file)
        )
        yield split, sorted(files)


def _images_of(entry: str, root: Path, file: Path) -> list[Path]:
    # Roboflow writes ../train/images where it means train/images.
    tried = [root / entry, file.parent / entry, file.parent / entry.removeprefix("../")]
    for place in tried:
        if place.is_dir():
            return images_below(place.resolve())
        if place.is_file() and place.suffix == ".txt":
            listed = [line.strip() for line in read_lines(place) if line.strip()]
            return [_listed_image(name, place, root) for name in listed]
    raise InputError(f"{file}: {entry!r} is no folder and no list of images below {root}")


def _listed_image(name: str, listing: Path, root: Path) -> Path:
    for image in (root / name, listing.parent / name):
        if image.is_file():
            return image.resolve()
    raise InputError(f"{listing}: no image {printable(name)}")


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
    return Box(int(label), left * size[0], top * size[1], width * size[0], height * size[1])

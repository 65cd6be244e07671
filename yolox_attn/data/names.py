"""File names of a json, and how they are looked for and told."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from yolox_attn.errors import InputError


def image_name(image: dict[str, Any]) -> str:
    """Return an image entry's file name; YOLOX derives a missing one from the id, as COCO does."""
    return str(image.get("file_name") or f"{image['id']:012}.jpg")


def told_name(image: dict[str, Any]) -> str:
    """Return the name as a message tells it: one that is nowhere in the json is said to be made."""
    return image_name(image) + ("" if image.get("file_name") else " (a name made from the id)")


def stays_inside(name: str) -> bool:
    """Return whether a file name of a json stays in its folder: relative, and without "..".

    Links on the disk are followed: who owns the disk made them, not who wrote the json.
    """
    for path in (PurePosixPath(name), PureWindowsPath(name)):
        if path.anchor or ".." in path.parts:
            return False
    return True


def missing_images(folder: Path, images: Sequence[dict[str, Any]]) -> list[int]:
    """Return the places of the images that are no files below `folder`.

    One directory listing a folder is enough for most.
    """
    names = [image_name(image) for image in images]
    present: set[str] = set()
    for parent in {os.path.dirname(name) for name in names}:  # noqa: PTH120 - 10x Path's speed
        if (folder / parent).is_dir():
            listed = os.scandir(folder / parent)
            # A link into nowhere is listed, but is no file.
            present.update(os.path.join(parent, e.name) for e in listed if e.is_file())  # noqa: PTH118
    # A second look at the rest: the file system may not distinguish case, or the name holds "..".
    return [
        place
        for place, name in enumerate(names)
        if name not in present and not (folder / name).is_file()
    ]


def refuse_missing(
    lost: Sequence[int], images: Sequence[dict[str, Any]], file: Path, folder: Path
) -> None:
    """Stop here if images of `file`, `lost` their places, are not in `folder`.

    Raises:
        InputError: says how many, and names some.
    """
    if lost:
        shown = shortlist(told_name(images[place]) for place in lost)
        raise InputError(
            f"{len(lost)} of {len(images)} images of {file} are not in {folder}: {shown}"
        )


def shortlist(items: Iterable[str], most: int = 3) -> str:
    """Join the first few items, and say with dots that there are more."""
    items = list(items)
    return ", ".join(map(printable, items[:most])) + (", ..." if len(items) > most else "")


def printable(text: str) -> str:
    """Return `text` with escapes in place of what would break a line or could not be seen."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

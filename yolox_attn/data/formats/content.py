"""What every format is read into: images with their boxes, and of these a COCO json."""

import os
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH, TiffImageFile

from yolox_attn.coco.checks import image_name
from yolox_attn.console import printable, shortlist
from yolox_attn.errors import InputError

IMAGE_SUFFIXES = frozenset(
    {".bmp", ".jfif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
)  # in small letters; what OpenCV reads
TURNED = ("JPEG", "MPO", "PNG", "WEBP")  # what OpenCV turns by its EXIF
ORIENTATION = 0x0112  # the tag, in EXIF as in TIFF
Size = tuple[int, int]  # width, height
Content = dict[str, Any]


@dataclass(frozen=True)
class Box:
    """A box in pixels: left, top, width, height. `difficult` is Pascal VOC's."""

    label: int
    left: float
    top: float
    width: float
    height: float
    difficult: bool = False


@dataclass(frozen=True)
class Labelled:
    """An image file with its boxes."""

    file: Path
    size: Size
    boxes: tuple[Box, ...]


@dataclass
class Source:
    """A data set as it was found.

    Args:
        layout: its name for messages.
        splits: "train", "val", "test" (as far as there are) or "all" -> COCO content, whose file
            names are whole paths.
        notes: what could not be taken over, a sentence each.
        looked_for: what its content depends on, images apart, beyond the path that was read and
            what is below that: files, and folders with all below them, also what is not there.
    """

    layout: str
    splits: dict[str, Content]
    notes: list[str] = field(default_factory=list)
    looked_for: list[Path] = field(default_factory=list)


def content_of(images: Iterable[Labelled], classes: Sequence[str]) -> Content:
    """Return COCO content: ids from 1, images sorted by their paths; `difficult` stays a field."""
    entries: list[Content] = []
    annotations: list[Content] = []
    for number, image in enumerate(sorted(images, key=lambda each: each.file.as_posix()), start=1):
        width, height = image.size
        entries.append(
            {"id": number, "file_name": str(image.file), "width": width, "height": height}
        )
        for box in image.boxes:
            entry = {
                "id": len(annotations) + 1,
                "image_id": number,
                "category_id": box.label + 1,
                "bbox": [box.left, box.top, box.width, box.height],
                "area": box.width * box.height,
                "iscrowd": 0,
            }
            annotations.append(entry | ({"difficult": 1} if box.difficult else {}))
    categories = [{"id": number, "name": name} for number, name in enumerate(classes, start=1)]
    return {"images": entries, "annotations": annotations, "categories": categories}


def judging(content: Content) -> Content:
    """Return the content of a split that judges: its difficult boxes have iscrowd 1.

    A detection on one is neither right nor wrong. COCO's overlap with a crowd is laxer than VOC's
    own rule (intersection over the detection's area), and pycocotools overwrites the field
    `ignore`, so there is no closer one. In training a difficult box is a box as any other.
    """
    annotations = [
        {**entry, "iscrowd": 1} if entry.get("difficult") == 1 else entry
        for entry in content["annotations"]
    ]
    return {**content, "annotations": annotations}


def files_below(folder: Path, suffixes: Container[str]) -> list[Path]:
    """Return the files of these endings in a folder and below it, sorted; links are followed.

    What is hidden (".ipynb_checkpoints") is nobody's data.

    Raises:
        InputError: a folder that cannot be read, or a file that is a link to nothing.
    """
    found, seen = [], set()
    for parent, folders, names in os.walk(folder, followlinks=True, onerror=_unreadable):
        real = os.path.realpath(parent)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if real in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        found += [
            Path(parent, name)
            for name in names
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in suffixes  # noqa: PTH122
        ]
    if lost := next((file for file in found if not file.exists()), None):
        raise InputError(f"{printable(str(lost))} is a link to nothing")
    return sorted(file for file in found if file.is_file())


def images_below(folder: Path) -> list[Path]:
    """Return the image files in a folder and below it, as `files_below`."""
    return files_below(folder, IMAGE_SUFFIXES)


def _unreadable(error: OSError) -> None:
    raise InputError(f"cannot read {printable(str(error.filename))}: {error.strerror}") from error


def by_stem(files: Sequence[Path], where: Path) -> dict[str, Path]:
    """Return stem -> file.

    Raises:
        InputError: two images have one, so that a label file belongs to both.
    """
    stems: dict[str, Path] = {}
    for file in files:
        other = stems.setdefault(file.stem, file)
        if other is not file:
            raise InputError(
                f"two images of one name in {where}: {printable(other.name)} and "
                f"{printable(file.name)}; a label file cannot belong to both"
            )
    return stems


def size_of(file: Path) -> Size:
    """Return width and height of an image as it is shown, with its EXIF orientation.

    Raises:
        InputError: it cannot be read.
    """
    try:
        with Image.open(file) as image:
            width, height, turn = _stored(image)
            return (height, width) if turn in (5, 6, 7, 8) else (width, height)
    except (OSError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"cannot read image {printable(str(file))}") from error


def _stored(image: Image.Image) -> tuple[int, int, int]:
    """Return width and height as they are stored, and the orientation that OpenCV goes by."""
    if isinstance(image, TiffImageFile):  # its own tags: Pillow's size is turned since some version
        tags = image.tag_v2
        return tags[IMAGEWIDTH], tags[IMAGELENGTH], tags.get(ORIENTATION, 1)
    return image.width, image.height, _orientation(image) if image.format in TURNED else 1


def _orientation(image: Image.Image) -> int:
    """Return what the EXIF block says, and not XMP, which OpenCV does not read."""
    exif = Image.Exif()
    exif.load(image.info.get("exif") or b"")
    return int(exif.get(ORIENTATION, 1))


def rebased(content: Content, file: Path) -> tuple[Content, Path]:
    """Return the content with file names relative to the folder that holds all its images.

    Raises:
        InputError: no image, or they have no folder in common (two drives). `file` names the split.
    """
    names = [image_name(image) for image in content["images"]]
    if not names:
        raise InputError(f"{file}: no images")
    try:
        folder = Path(os.path.commonpath([os.path.dirname(name) for name in names]))  # noqa: PTH120
    except ValueError as error:
        shown = shortlist(names, 2)
        raise InputError(f"{file}: the images have no folder in common: {shown}") from error
    images = [
        {**image, "file_name": Path(name).relative_to(folder).as_posix()}
        for image, name in zip(content["images"], names, strict=True)
    ]
    return {**content, "images": images}, folder

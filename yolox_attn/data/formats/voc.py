"""Pascal VOC: Annotations/*.xml, images beside them, ImageSets/Main/{train,val,test}.txt.

Everingham et al., "The Pascal Visual Object Classes Challenge", IJCV 2010. Corners count pixels
from 1 and belong to the box: x = xmin - 1, width = xmax - xmin + 1.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from xml.etree import ElementTree

from yolox_attn.console import count, printable, shortlist
from yolox_attn.data.coco_folder import split_of
from yolox_attn.data.formats.content import (
    Box,
    Labelled,
    Source,
    by_stem,
    content_of,
    images_below,
    size_of,
)
from yolox_attn.data.formats.names import listed_classes, read_lines
from yolox_attn.errors import InputError

LABELS = ("Annotations", "annotations")  # the second: of many sets that are shared
LISTS = Path("ImageSets", "Main")
SPLITS = ("train", "val", "test")
MOST_BYTES = 64 * 2**20  # of an XML


def find_voc(root: Path) -> Path | None:
    """Return the folder with Annotations/*.xml: `root`, or one up to two levels below it."""
    for pattern in ("", "*", "*/*"):
        folders = [root] if not pattern else sorted(root.glob(pattern))
        found = [each for each in folders if has_xmls(each)]
        if len(found) > 1:
            shown = shortlist(str(each.relative_to(root)) for each in found)
            raise InputError(f"{root} holds several Pascal VOC sets: {shown}; name one of them")
        if found:
            return found[0]
    return None


def has_xmls(root: Path) -> bool:
    """Tell whether a folder holds Pascal VOC's annotations."""
    return any((root / _labels(root)).glob("*.xml"))


def _labels(root: Path) -> str:
    """Return the name of the folder of XMLs."""
    return next((name for name in LABELS if any((root / name).glob("*.xml"))), LABELS[0])


def read_voc(root: Path, *, unlabelled: bool = False) -> Source:
    """Read a Pascal VOC folder.

    The classes are those of classes.txt in it, else the names in all XMLs, sorted. Images are
    looked for in JPEGImages, else anywhere in the folder, by the XML's own stem.

    Args:
        root: as `find_voc` returns it.
        unlabelled: an image without an XML is background; else it is refused.

    Raises:
        InputError: a file is missing, broken or contradictory; the message names it.
    """
    labels, pictures = root / _labels(root), root / "JPEGImages"
    images = by_stem(images_below(pictures if pictures.is_dir() else root), root)
    lists = dict(_lists(root, images)) or {"all": _all_stems(labels, images)}
    pairs = {
        split: [(labels / f"{stem}.xml", images.get(stem)) for stem in stems]
        for split, stems in lists.items()
    }
    source = _read("Pascal VOC", root, pairs, unlabelled=unlabelled)
    wanted = {stem for stems in lists.values() for stem in stems}
    spare = sorted(images.keys() - wanted)
    if spare:
        shown = shortlist(images[stem].name for stem in spare)
        source.notes.append(f"{count(len(spare), 'image')} in none of the lists: {shown}")
    return source


def xml_folders(root: Path) -> dict[str, Path]:
    """Return split -> folder where train/, valid/, test/ hold XMLs among their images.

    So exports Roboflow.

    Raises:
        InputError: two folders of a split.
    """
    folders: dict[str, Path] = {}
    for folder in sorted(root.iterdir()):
        split = split_of(folder.name)
        if split and folder.is_dir() and any(folder.glob("*.xml")):
            if split in folders:
                raise InputError(f"{root}: two {split} folders, {folders[split]} and {folder}")
            folders[split] = folder
    return folders


def read_xml_folders(root: Path, *, unlabelled: bool = False) -> Source:
    """Read a folder whose `xml_folders` are its splits; the rest is as `read_voc` has it."""
    pairs = {}
    for split, folder in xml_folders(root).items():
        images = by_stem(images_below(folder), folder)
        stems = _all_stems(folder, images)
        pairs[split] = [(folder / f"{stem}.xml", images.get(stem)) for stem in stems]
    return _read("Pascal VOC, XMLs among the images", root, pairs, unlabelled=unlabelled)


def _read(
    layout: str,
    root: Path,
    pairs: Mapping[str, Sequence[tuple[Path, Path | None]]],
    *,
    unlabelled: bool,
) -> Source:
    """Read the XMLs of each split, each with the image of its name."""
    trees = {
        file: _tree(file, unlabelled=unlabelled) for split in pairs.values() for file, _ in split
    }
    names = listed_classes([root])
    if names is None:
        used = {name for tree in trees.values() if tree is not None for name in _names(tree)}
        names = sorted(used)
    places = {name: place for place, name in enumerate(names)}
    source = Source(layout, {})
    for split, files in pairs.items():
        labelled = [_labelled(file, trees[file], image, places, root) for file, image in files]
        source.splits[split] = content_of(labelled, names)
    return source


def _lists(root: Path, images: dict[str, Path]) -> Iterator[tuple[str, list[str]]]:
    """Yield the splits with the stems that their lists name; trainval where it is all there is."""
    splits = {split: root / LISTS / f"{split}.txt" for split in SPLITS}
    if not (splits["train"].is_file() or splits["val"].is_file()):
        splits["all"] = root / LISTS / "trainval.txt"
    for split, file in splits.items():
        if file.is_file():
            lines = [line.strip() for line in read_lines(file) if line.strip()]
            # A second column, of the lists of a class, says whether it is in the image.
            stems = [line if line in images else line.rsplit(maxsplit=1)[0] for line in lines]
            if not stems:
                raise InputError(f"{file} names no image")
            if twice := len(stems) - len(set(stems)):
                raise InputError(f"{file} names {count(twice, 'image')} twice")
            yield split, stems


def _all_stems(labels: Path, images: dict[str, Path]) -> list[str]:
    return sorted({file.stem for file in labels.glob("*.xml")} | images.keys())


def _tree(file: Path, *, unlabelled: bool) -> ElementTree.Element | None:
    """Return an XML's root; None where there is none, and that is allowed."""
    if not file.is_file():
        if unlabelled:
            return None
        raise InputError(
            f"no {printable(str(file))}: is the image background, or was it forgotten? "
            "--unlabelled background takes such images as background"
        )
    try:
        text = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {printable(str(file))}: {error.strerror}") from error
    if len(text) > MOST_BYTES or b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        raise InputError(f"{printable(str(file))}: an XML with entities, or too large a one")
    try:
        tree = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise InputError(f"{printable(str(file))} is no valid XML: {error}") from error
    for node in tree.iter():  # some tools write a namespace, or capitals
        node.tag = str(node.tag).rpartition("}")[2].lower()
    if tree.tag != "annotation":
        raise InputError(f"{printable(str(file))} is no Pascal VOC: it begins with <{tree.tag}>")
    return tree


def _names(tree: ElementTree.Element) -> Iterator[str]:
    for node in tree.iter("object"):
        yield (node.findtext("name") or "").strip()


def _labelled(
    labels: Path,
    tree: ElementTree.Element | None,
    file: Path | None,
    places: dict[str, int],
    root: Path,
) -> Labelled:
    """Return the image that an XML is named after, with the boxes of the XML."""
    origin = printable(str(labels))
    if file is None:
        raise InputError(f"{origin}: no image of that name in {root}")
    if tree is None:
        return Labelled(file, size_of(file), ())
    width, height = (_number(tree, f"size/{side}", 0.0) for side in ("width", "height"))
    whole = width >= 1 and height >= 1 and width.is_integer() and height.is_integer()
    size = (int(width), int(height)) if whole else size_of(file)
    boxes = tuple(_box(node, places, size, origin) for node in tree.iter("object"))
    return Labelled(file, size, boxes)


def _box(
    node: ElementTree.Element, places: dict[str, int], size: Sequence[int], origin: str
) -> Box:
    name = (node.findtext("name") or "").strip()
    if not name:
        raise InputError(f"{origin}: an object without a name")
    if name not in places:
        known = shortlist(places, 8)
        raise InputError(f"{origin}: class {name!r} is not among those of classes.txt: {known}")
    corners = [_number(node, f"bndbox/{side}") for side in ("xmin", "ymin", "xmax", "ymax")]
    if not all(map(math.isfinite, corners)):
        raise InputError(f"{origin}: {name} has no box of four numbers")
    left, top, right, bottom = corners
    box = Box(
        places[name], left - 1, top - 1, right - left + 1, bottom - top + 1,
        difficult=(node.findtext("difficult") or "").strip() == "1",
    )  # fmt: skip
    inside = box.left < size[0] and box.top < size[1] and right > 0 and bottom > 0
    if right < left or bottom < top or not inside:
        shown = ", ".join(f"{each:g}" for each in corners)
        raise InputError(
            f"{origin}: the box {shown} of {name} is empty or outside of the image "
            f"({size[0]}x{size[1]})"
        )
    return box


def _number(node: ElementTree.Element, path: str, otherwise: float = math.nan) -> float:
    try:
        return float((node.findtext(path) or "").strip())
    except ValueError:
        return otherwise

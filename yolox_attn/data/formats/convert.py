"""From any layout to COCO's: recognised, read, written beside links to the images."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from loguru import logger

from yolox_attn import __version__
from yolox_attn.coco.annotations import ANNOTATIONS
from yolox_attn.console import called_as, shortlist
from yolox_attn.data.cache import cached, is_intact, read_manifest, write_manifest
from yolox_attn.data.formats.coco_exports import (
    is_roboflow,
    loose_files,
    read_loose,
    read_roboflow,
)
from yolox_attn.data.formats.content import Source, judging, rebased
from yolox_attn.data.formats.split import Splitting, apart
from yolox_attn.data.formats.unchanged import Memory
from yolox_attn.data.formats.voc import find_voc, has_xmls, read_voc, read_xml_folders, xml_folders
from yolox_attn.data.formats.yolo import (
    YAML_SUFFIXES,
    find_yaml,
    label_places,
    looks_like_yolo,
    read_yolo,
)
from yolox_attn.errors import InputError
from yolox_attn.machine import cache_folder, expanded
from yolox_attn.runs import scratch_folder

VERSION = 1  # of the conversion: raise it whenever the same files give another json
LOOKED_FOR = (
    "annotations/ (COCO), */_annotations.coco.json (Roboflow), data.yaml, or labels beside images "
    "(YOLO), Annotations/*.xml or train/*.xml (Pascal VOC), *.json (COCO)"
)


@dataclass(frozen=True)
class Conversion:
    """What was made of a data set.

    Args:
        folder: in COCO layout.
        layout: that it was found in.
        counts: split -> images, boxes.
        classes: their names.
        notes: what could not be taken over, a sentence each.
    """

    folder: Path
    layout: str
    counts: dict[str, tuple[int, int]]
    classes: tuple[str, ...]
    notes: tuple[str, ...]


def converted(path: Path) -> Path:
    """Return a folder in COCO layout for a data set of any layout.

    A folder with annotations/ is returned as it is. Another is read, and what it holds is written
    into the cache under the hash of its content; it is read again once any file of it has changed.

    Raises:
        InputError: it is not recognised, a file of it is wrong, or it has one split alone.
    """
    path = _existing(path)
    if _is_coco_layout(path):
        return path
    root = path.resolve()
    memory = Memory(cache_folder() / f"read-{VERSION}-{__version__}", root)
    folder = _conversion(memory.recall())
    if folder is None:
        source = _read(_reader(root)(), root, None)
        found = json.dumps([source.layout, source.splits, source.notes])
        content = hashlib.sha256(found.encode()).hexdigest()

        def make(fresh: Path) -> None:
            _write(source, fresh)

        folder = cached(cache_folder() / f"converted-{VERSION}-{content[:16]}", make)
        images = [Path(e["file_name"]) for each in source.splits.values() for e in each["images"]]
        # Of every layout: labels that are put there later make it a YOLO set.
        labels = [place for image in images for place in label_places(image)]
        memory.keep(folder.name, [*source.looked_for, *images, *labels])
    manifest = read_manifest(folder)
    for note in manifest["notes"]:
        logger.warning(f"{path} ({manifest['layout']}): {note}")
    return folder


def _conversion(name: str | None) -> Path | None:
    """Return the conversion that is remembered, if it is there and intact."""
    if name is None or not re.fullmatch(rf"converted-{VERSION}-[0-9a-f]{{16}}", name):
        return None
    folder = cache_folder() / name
    return folder if is_intact(folder) else None


def convert(
    path: Path, output: Path, splitting: Splitting | None = None, *, unlabelled: bool = False
) -> Conversion:
    """Write a data set of any layout as COCO's: annotations/, and links to the images' folders.

    Args:
        path: the data set.
        output: a folder that is not there, or empty.
        splitting: how to split a set of one split.
        unlabelled: images without a Pascal VOC XML are background.

    Raises:
        InputError: as `converted`; or the output is in use, or cannot hold links.
    """
    path = _existing(path)
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"-o {output} is there already, and not empty")
    root = path.resolve()
    if _is_coco_layout(root):
        raise InputError(f"{path} is in COCO layout already: --data takes it as it is")
    source = _read(_reader(root, unlabelled=unlabelled)(), root, splitting)
    output = Path(os.path.realpath(output))
    try:
        return replace(_moved(source, output), folder=output)
    except OSError as error:
        raise InputError(f"-o {output}: cannot be written: {error.strerror}") from error


def _moved(source: Source, output: Path) -> Conversion:
    """Write beside the output, and move it there in one step."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with scratch_folder(output.parent) as scratch:
        fresh = scratch / "fresh"
        conversion = _write(source, fresh)
        if output.exists():
            output.rmdir()
        fresh.rename(output)
    return conversion


def _is_coco_layout(root: Path) -> bool:
    return (root / ANNOTATIONS).is_dir() and not has_xmls(root)


def _existing(path: Path) -> Path:
    path = expanded(path)
    if not (path.is_dir() or (path.is_file() and path.suffix in (*YAML_SUFFIXES, ".json"))):
        raise InputError(f"no data folder {path}")
    return path


def _reader(root: Path, *, unlabelled: bool = False) -> Callable[[], Source]:
    """Return what reads the layout that is found at `root`.

    Raises:
        InputError: none is; or several data sets are.
    """
    folder = root.is_dir()
    if folder and is_roboflow(root):
        return lambda: read_roboflow(root)
    if find_yaml(root) is not None:
        return lambda: read_yolo(root)
    if folder and (voc := find_voc(root)) is not None:
        found = voc
        return lambda: read_voc(found, unlabelled=unlabelled)
    if loose_files(root):
        return lambda: read_loose(root)
    if folder and looks_like_yolo(root):
        return lambda: read_yolo(root)
    if folder and xml_folders(root):
        return lambda: read_xml_folders(root, unlabelled=unlabelled)
    present = "a file" if not folder else shortlist(sorted(each.name for each in root.iterdir()), 8)
    raise InputError(
        f"no data set in {root}: looked for {LOOKED_FOR}; it holds: {present or 'nothing'}"
    )


def _read(source: Source, root: Path, splitting: Splitting | None) -> Source:
    """Return the source with a train and a val split; what judges is made `judging`.

    Raises:
        InputError: it has one split and no `splitting`, or several and one.
    """
    names = set(source.splits)
    alone = names & {"all", "train"} if not {"train", "val"} <= names else set()
    if not names & {"all", "train"}:
        raise InputError(
            f"{root} ({source.layout}) has no training split: {shortlist(sorted(names))}"
        )
    if splitting is not None:
        if not alone:
            raise InputError(f"{root} has splits of its own: {shortlist(sorted(names))}")
        [name] = alone
        parts = apart(source.splits.pop(name), splitting, str(root))
        source = replace(source, splits={**parts, **source.splits})
    elif alone:
        raise InputError(
            f"{root} ({source.layout}) has no validation split of its own: "
            f"{called_as('convert')} {root} -o OUT --split 0.8 makes one"
        )
    splits = {
        split: content if split == "train" else judging(content)
        for split, content in source.splits.items()
    }
    return replace(source, splits=splits)


def _write(source: Source, folder: Path) -> Conversion:
    """Write annotation files, links to the images, and the manifest."""
    files: list[Path] = []
    counts: dict[str, tuple[int, int]] = {}
    classes: tuple[str, ...] = ()
    (folder / ANNOTATIONS).mkdir(parents=True, exist_ok=True)
    for split, content in source.splits.items():
        file = folder / ANNOTATIONS / f"instances_{split}2017.json"
        relative, images = rebased(content, file)
        file.write_text(json.dumps(relative), encoding="utf-8")
        link = folder / f"{split}2017"
        try:
            link.symlink_to(images, target_is_directory=True)
        except OSError as error:
            raise InputError(f"cannot link {images} as {link}: {error.strerror}") from error
        files.append(file)
        counts[split] = len(content["images"]), len(content["annotations"])
        names = sorted((entry["id"], entry["name"]) for entry in content["categories"])
        classes = tuple(name for _, name in names)
    write_manifest(folder, files, layout=source.layout, notes=source.notes)
    return Conversion(folder, source.layout, counts, classes, tuple(source.notes))

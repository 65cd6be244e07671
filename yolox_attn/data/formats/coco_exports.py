"""COCO jsons that do not lie in COCO's layout: Roboflow's exports, and loose ones."""

import os
from collections.abc import Container, Iterator
from pathlib import Path
from typing import Any

from yolox_attn.coco.annotations import check_annotations, read_json
from yolox_attn.coco.checks import image_name
from yolox_attn.console import count, printable, shortlist
from yolox_attn.data.coco_folder import is_there, pick_file
from yolox_attn.data.formats.content import Content, Source, images_below
from yolox_attn.errors import InputError

ROBOFLOW = "_annotations.coco.json"
ROBOFLOW_FOLDERS = {"train": "train", "valid": "val", "test": "test"}
SPLITS = ("train", "val", "test")


def is_roboflow(root: Path) -> bool:
    """Tell whether train/, valid/ or test/ holds Roboflow's json."""
    return any((root / name / ROBOFLOW).is_file() for name in ROBOFLOW_FOLDERS)


def read_roboflow(root: Path) -> Source:
    """Read Roboflow's COCO export: each split's json among its images.

    Its first category, which is nobody's but the others' supercategory, is left out.

    Raises:
        InputError: a json is broken, or its images are missing.
    """
    files = {name: root / name / ROBOFLOW for name in ROBOFLOW_FOLDERS}
    contents = {name: _read(file) for name, file in files.items() if file.is_file()}
    used = {e["category_id"] for content in contents.values() for e in content["annotations"]}
    source = Source("Roboflow's COCO export", {})
    for name, content in contents.items():
        kept = _without_root(content, used, source)
        split = ROBOFLOW_FOLDERS[name]
        source.splits[split] = _with_paths(kept, files[name], root / name, {})
    return source


def loose_files(root: Path) -> dict[str, Path]:
    """Return split -> json of a folder without annotations/; "all" for a single COCO json.

    Raises:
        InputError: several jsons of a split.
    """
    files = [root] if root.suffix == ".json" and root.is_file() else sorted(root.glob("*.json"))
    named = {split: file for split in SPLITS if (file := pick_file(files, split))}
    single = files[0] if len(files) == 1 else None
    return named or ({"all": single} if single and (single == root or _is_coco(single)) else {})


def _is_coco(file: Path) -> bool:
    """Tell whether a json of no telling name lists images."""
    try:
        content, _ = read_json(file)
    except InputError:
        return False
    return isinstance(content, dict) and "images" in content


def read_loose(root: Path) -> Source:
    """Read jsons beside or above their images, which are found by their paths, else by names.

    Raises:
        InputError: a json is broken, or an image is nowhere, or at several places.
    """
    folder = root if root.is_dir() else root.parent
    anywhere: dict[str, list[Path]] = {}
    for image in images_below(folder):
        anywhere.setdefault(image.name, []).append(image)
    files = loose_files(root)
    splits = {split: _with_paths(_read(file), file, folder, anywhere)
              for split, file in files.items()}  # fmt: skip
    return Source("COCO jsons", splits)


def _read(file: Path) -> Content:
    return check_annotations(read_json(file)[0], str(file))


def _without_root(content: Content, used: Container[Any], source: Source) -> Content:
    """Return the content without the category that only groups the others."""
    parents = {str(entry.get("supercategory")) for entry in content["categories"]}
    spare = [
        entry for entry in content["categories"]
        if entry["id"] not in used and entry["name"] in parents
        and entry.get("supercategory") in (None, "none")
    ]  # fmt: skip
    if not spare or len(spare) == len(content["categories"]):
        return content
    note = f"left out: {shortlist(repr(entry['name']) for entry in spare)}, which groups the others"
    if note not in source.notes:
        source.notes.append(note)
    kept = [entry for entry in content["categories"] if entry not in spare]
    return {**content, "categories": kept}


def _with_paths(
    content: Content, file: Path, folder: Path, anywhere: dict[str, list[Path]]
) -> Content:
    """Return the content with whole paths for file names.

    Raises:
        InputError: images that cannot be found.
    """
    found = [_find(image_name(image), folder, anywhere) for image in content["images"]]
    lost = [image_name(image) for image, places in zip(content["images"], found, strict=True)
            if not places]  # fmt: skip
    if lost:
        raise InputError(
            f"{count(len(lost), 'image')} of {file} not below {folder}: {shortlist(lost)}"
        )
    for image, places in zip(content["images"], found, strict=True):
        if len(places) > 1:
            shown = shortlist(str(place.relative_to(folder)) for place in places)
            raise InputError(
                f"{file}: {printable(image_name(image))} is at several places: {shown}"
            )
    if twice := len(found) - len({places[0] for places in found}):
        raise InputError(f"{file}: {count(twice, 'image')} listed twice")
    images: list[dict[str, Any]] = [
        {**image, "file_name": str(places[0])}
        for image, places in zip(content["images"], found, strict=True)
    ]
    return {**content, "images": images}


def _find(name: str, folder: Path, anywhere: dict[str, list[Path]]) -> list[Path]:
    """Return the places of an image: where its path leads; of a bare name every file of it."""
    return list(_led_to(name, folder)) or anywhere.get(name, [])


def _led_to(name: str, folder: Path) -> Iterator[Path]:
    place = folder / name  # a whole path stays what it is
    if is_there(place):
        yield Path(os.path.abspath(place))  # noqa: PTH100 - links stay as they are named

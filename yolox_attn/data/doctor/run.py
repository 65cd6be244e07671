"""The examination: splits loaded as far as they are sound, and all that can be known of them."""

import json
from collections.abc import Iterator
from pathlib import Path

from yolox_attn.coco.annotations import read_json
from yolox_attn.coco.checks import Content, Fault, find_faults, shown_name, sound_part, without
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.coco_folder import find_image_folder, missing_images
from yolox_attn.data.doctor.annotations import (
    compare_categories,
    examine_boxes,
    examine_classes,
    examine_names,
    examine_room,
)
from yolox_attn.data.doctor.duplicates import same_files, same_pixels
from yolox_attn.data.doctor.image_files import States, examine_images, read_images
from yolox_attn.data.doctor.report import EXAMPLES, Finding, Report, finding
from yolox_attn.errors import InputError


def load_split(
    file: Path, name: str | None, split: str, scratch: Path
) -> tuple[CocoDetection | None, list[Finding]]:
    """Load a split; of one that cannot be loaded, find all faults and load what is sound.

    Args:
        file: the annotation file, in DATA/annotations.
        name: the image folder in DATA; None for the one that holds most of the images.
        split: its name in the findings.
        scratch: a temporary folder for the sound part of a json, which must outlive the dataset.
    """
    refusal = None
    if name is not None:
        try:
            return CocoDetection(str(file.parent.parent), file.name, name), []
        except InputError as error:
            refusal = error
    try:
        content, _ = read_json(file)
    except InputError as error:
        return None, [unloadable(split, error)]
    findings = [_as_finding(fault, split) for fault in find_faults(content)]
    sound = sound_part(content)
    if sound is not None:
        folder, lost = _find_images(file, name, sound)
        message = f"images of the json that are not in {folder}"
        missing = tuple((place, shown_name(sound["images"][place])) for place in lost)
        findings.append(finding("error", "missing", split, message, (name for _, name in missing)))
        sound = sound_part(without(sound, [Fault(message, "images", missing)]))
    if refusal is not None and not any(each.count for each in findings):
        findings.append(unloadable(split, refusal))
    if sound is None:
        return None, findings
    return _load(sound, folder, scratch / split / "annotations" / file.name), findings


def unloadable(split: str, error: InputError) -> Finding:
    """Return what was wrong with a split that could not be loaded."""
    return Finding("error", "unloadable", split, str(error), 1, counted=False)


def examine_splits(
    splits: dict[str, CocoDetection],
    *,
    num_classes: int,
    full: bool = False,
    progress: bool = False,
    max_labels: int | None = None,
) -> Report:
    """Examine what there is of "train", "val" and "test", each by itself and next to train.

    The quick form looks at all annotations, at 64 images a split, and for images of train in the
    others by size and a part of the file. With `full` all images are decoded and compared by
    their pixels. Images with more boxes than `max_labels` are reported where it is given.
    """
    findings: list[Finding] = []
    train, val = splits.get("train"), splits.get("val")
    if train and val:
        findings += examine_classes(train, val, num_classes)
    if train and "test" in splits:
        findings.append(compare_categories(train, splits["test"], "test"))
    if train and max_labels is not None:
        findings.append(examine_room(train, "train", max_labels))
    states: dict[str, States] = {}
    examined = {}
    for name, dataset in splits.items():
        states[name] = read_images(dataset, name, full=full, progress=progress)
        findings += _findings(dataset, name, states[name], full=full)
        examined[name] = {
            "images": len(dataset),
            "boxes": len(dataset.coco.dataset["annotations"]),
            "classes": len(dataset.class_ids),
            "read": len(states[name]),
        }
    if full:
        findings += same_pixels(splits, states)
    elif train:
        findings += (same_files(train, splits[name], name) for name in splits if name != "train")
    return Report(findings, examined)


def _as_finding(fault: Fault, split: str) -> Finding:
    if fault.key is None:
        return Finding("error", "json", split, f"the json {fault.what}", 1, counted=False)
    examples = fault.examples[:EXAMPLES]
    return Finding("error", f"json_{fault.key}", split, fault.what, len(fault.cases), examples)


def _find_images(file: Path, name: str | None, content: Content) -> tuple[Path, list[int]]:
    """Return the image folder, and the places of the images that are not in it."""
    root, images = file.parent.parent, content["images"]
    if name is not None:
        return root / name, missing_images(root / name, images)
    name, lost = find_image_folder(root, file, images)
    return root / name, lost


def _load(content: Content, images: Path, file: Path) -> CocoDetection:
    """Load a content that lies nowhere: the dataset reads it from `file`, written here."""
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return CocoDetection(str(file.parent.parent), file.name, str(images.absolute()))


def _findings(
    dataset: CocoDetection, split: str, states: States, *, full: bool
) -> Iterator[Finding]:
    missized = {
        dataset.ids[index]
        for index, state in states.items()
        if any(code == "wrong_size" for code, _ in state.faults)
    }
    yield from examine_boxes(dataset, split, missized)
    yield from examine_names(dataset, split)
    yield from examine_images(dataset, split, states, full=full)

"""Loading a split to be examined: of one that cannot be trained on, what is sound of it."""

import json
from pathlib import Path

from yolox_attn.data.annotations import read_json
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.coco_folder import find_image_folder
from yolox_attn.data.doctor.report import Finding, finding
from yolox_attn.data.faults import Content, Fault, find_faults, sound_part, without
from yolox_attn.data.names import missing_images, told_name
from yolox_attn.errors import InputError


def load_split(
    file: Path, name: str | None, split: str, scratch: Path
) -> tuple[CocoDetection | None, list[Finding]]:
    """Load a split; of one that cannot be loaded, tell all its faults and load the rest.

    Args:
        file: the annotation file, in DATA/annotations.
        name: the image folder in DATA; None for the one that holds most of the images.
        split: what findings are told of.
        scratch: a temporary folder for the sound part of a json, which must outlive the dataset.
    """
    root = file.parent.parent
    refusal = None
    if name is not None:
        try:
            return CocoDetection(str(root), file.name, name), []
        except InputError as error:
            refusal = error
    try:
        content, _ = read_json(file)
    except InputError as error:
        return None, [unloadable(split, error)]
    findings = [_told(fault, split) for fault in find_faults(content)]
    sound = sound_part(content)
    if sound is not None:
        folder, lost = _look_for_images(root, file, name, sound)
        message = f"images of the json that are not in {folder}"
        gone = [(place, told_name(sound["images"][place])) for place in lost]
        findings.append(finding("error", "missing", split, message, (told for _, told in gone)))
        sound = sound_part(without(sound, [Fault(message, "images", tuple(gone))]))
    if refusal is not None and not any(each.count for each in findings):
        findings.append(unloadable(split, refusal))
    if sound is None:
        return None, findings
    return _load(sound, folder, scratch / split / "annotations" / file.name), findings


def unloadable(split: str, error: InputError) -> Finding:
    """Return what was wrong with a split that could not be loaded."""
    return Finding("error", "unloadable", split, str(error), 1, counted=False)


def _told(fault: Fault, split: str) -> Finding:
    if fault.key is None:
        return Finding("error", "json", split, f"the json {fault.what}", 1, counted=False)
    told = finding("error", f"json_{fault.key}", split, fault.what, fault.examples)
    return Finding(
        told.level, told.code, split, told.message, len(fault.cases), examples=told.examples
    )


def _look_for_images(
    root: Path, file: Path, name: str | None, content: Content
) -> tuple[Path, list[int]]:
    """Return the image folder, and the places of the images that are not in it."""
    if name is not None:
        return root / name, missing_images(root / name, content["images"])
    name, lost = find_image_folder(root, file, content["images"])
    return root / name, lost


def _load(content: Content, images: Path, file: Path) -> CocoDetection:
    """Load a content that lies nowhere: the dataset reads it from `file`, written here."""
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content), encoding="utf-8")
    return CocoDetection(str(file.parent.parent), file.name, str(images.absolute()))

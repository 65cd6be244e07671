"""The examination: everything that can be known before the first step, quickly or fully."""

from collections.abc import Iterator

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.boxes import examine_boxes
from yolox_attn.data.doctor.classes import examine_classes, examine_names
from yolox_attn.data.doctor.files import FileState
from yolox_attn.data.doctor.images import examine_images, read_images
from yolox_attn.data.doctor.overlap import same_files, same_pixels
from yolox_attn.data.doctor.report import Finding, Report


def examine(
    train: CocoDetection,
    val: CocoDetection,
    *,
    num_classes: int,
    full: bool = False,
    progress: bool = False,
) -> Report:
    """Examine two loaded splits.

    The quick form looks at all annotations, at 64 images a split, and for val images in train by
    size and a part of the file. With `full` every image is decoded and compared by its pixels.
    """
    findings = list(examine_classes(train, val, num_classes))
    states = []
    for name, dataset in (("train", train), ("val", val)):
        found, told = examine_split(dataset, name, full=full, progress=progress)
        states.append(found)
        findings += told
    if full:
        findings += same_pixels(train, val, (states[0], states[1]))
    else:
        findings.append(same_files(train, val))
    return Report(findings)


def examine_split(
    dataset: CocoDetection, split: str, *, full: bool = False, progress: bool = False
) -> tuple[dict[int, FileState], list[Finding]]:
    """Examine one split by itself: (what its files hold, findings)."""
    states = read_images(dataset, split, full=full, progress=progress)
    return states, list(_findings(dataset, split, states, full=full))


def _findings(
    dataset: CocoDetection, split: str, states: dict[int, FileState], *, full: bool
) -> Iterator[Finding]:
    yield from examine_boxes(dataset, split)
    yield from examine_names(dataset, split)
    yield from examine_images(dataset, split, states, full=full)

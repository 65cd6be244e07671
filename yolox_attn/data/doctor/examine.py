"""The examination: everything that can be known before the first step, quickly or fully."""

from collections.abc import Iterator

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.boxes import examine_boxes, examine_room
from yolox_attn.data.doctor.classes import compare_categories, examine_classes, examine_names
from yolox_attn.data.doctor.files import FileState
from yolox_attn.data.doctor.images import examine_images, read_images
from yolox_attn.data.doctor.overlap import same_files, same_pixels
from yolox_attn.data.doctor.report import Finding, Report


def examine(  # noqa: PLR0913 - two splits, and how to look at them
    train: CocoDetection,
    val: CocoDetection,
    *,
    num_classes: int,
    full: bool = False,
    progress: bool = False,
    max_labels: int | None = None,
) -> Report:
    """Examine two loaded splits.

    The quick form looks at all annotations, at 64 images a split, and for val images in train by
    size and a part of the file. With `full` every image is decoded and compared by its pixels.
    Images with more boxes than `max_labels` are told where it is given.
    """
    splits = {"train": train, "val": val}
    return examine_splits(
        splits, num_classes=num_classes, full=full, progress=progress, max_labels=max_labels
    )


def examine_splits(
    splits: dict[str, CocoDetection],
    *,
    num_classes: int,
    full: bool = False,
    progress: bool = False,
    max_labels: int | None = None,
) -> Report:
    """Examine what there is of "train", "val" and "test", each by itself and beside train."""
    findings: list[Finding] = []
    train, val = splits.get("train"), splits.get("val")
    if train and val:
        findings += examine_classes(train, val, num_classes)
    if train and "test" in splits:
        findings.append(compare_categories(train, splits["test"], "test"))
    if train and max_labels is not None:
        findings.append(examine_room(train, "train", max_labels))
    states, examined = {}, {}
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
        others = {name: each for name, each in splits.items() if name != "train"}
        findings += (same_files(train, other, name) for name, other in others.items())
    return Report(findings, examined)


def _findings(
    dataset: CocoDetection, split: str, states: dict[int, FileState], *, full: bool
) -> Iterator[Finding]:
    missized = {
        dataset.ids[index]
        for index, state in states.items()
        if any(code == "wrong_size" for code, _ in state.faults)
    }
    yield from examine_boxes(dataset, split, missized)
    yield from examine_names(dataset, split)
    yield from examine_images(dataset, split, states, full=full)

"""The annotations alone: boxes and areas of a split, and which classes occur where."""

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from typing import Any

import numpy as np

from yolox_attn.coco.checks import image_name
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.report import Finding, Level, finding

SMALLEST = 1.0  # pixels: a side below it holds no pixel of its own
LARGEST = 4.0  # times its image: what is longer was hardly drawn on it
LONGEST = 50.0  # a longer side of more than 50 shorter ones is hardly an object
ENOUGH = 10  # boxes needed to say that all of them follow another convention


def examine_boxes(
    dataset: CocoDetection, split: str, missized: Set[int] = frozenset()
) -> Iterator[Finding]:
    """Yield what is wrong with the boxes of a split; what the dataset repaired is counted.

    Reported are boxes with a side below 1 pixel, or more than 50 times as long as wide, as they
    are left after clipping to their image, and those that were more than 4 times as long as it.
    Boxes of the images `missized`, by id, cannot be judged: their size in the json is wrong.
    """
    entries: list[dict[str, Any]] = dataset.coco.dataset["annotations"]
    if not entries:
        level: Level = "warning" if split == "test" else "error"  # COCO's own test split has none
        message = "the split has no annotations"
        yield Finding(level, "no_annotations", split, message, 1, counted=False)
        return
    judged = [entry for entry in entries if entry["image_id"] not in missized]
    if judged:
        yield from _examine_sides(dataset, split, judged)
    yield from _filled(dataset, split)
    yield finding("warning", "repeated_boxes", split, "boxes given twice", _repeated(entries))
    if split == "train" and not any(len(labels) for labels, _, _, _ in dataset.annotations):
        message = "no box that can be trained on: all are crowds, or outside of their images"
        yield Finding("error", "no_boxes", split, message, 1, counted=False)
    if split != "test" and all(entry["iscrowd"] for entry in entries):
        message = "no box that can be judged by: all are crowds"
        yield Finding("error", "only_crowds", split, message, 1, counted=False)
    if split == "train":
        message = "crowd boxes, left out of training: what they cover counts as background"
        crowds = (f"annotation {entry['id']}" for entry in entries if entry["iscrowd"])
        yield finding("warning", "crowds", split, message, crowds)


def examine_room(dataset: CocoDetection, split: str, most: int) -> Finding:
    """Find images with more boxes than `most`, which is as many as a training sample holds."""
    crowded = (
        f"{name}: {len(labels)} boxes"
        for labels, _, _, name in dataset.annotations
        if len(labels) > most
    )
    message = f"images with more boxes than max_labels {most}: the rest is not trained on"
    return finding("warning", "max_labels", split, message, crowded)


def examine_classes(
    train: CocoDetection, val: CocoDetection, num_classes: int
) -> Iterator[Finding]:
    """Yield differences of the categories, and the classes that only one split has objects of."""
    yield compare_categories(train, val, "both")
    for name, dataset in (("train", train), ("val", val)):
        known = len(dataset.class_ids)
        if known > num_classes:
            message = f"{known} categories are more than num_classes {num_classes}"
            yield Finding("error", "num_classes", name, message, 1, counted=False)
    if (known := len(train.class_ids)) < num_classes:
        message = f"num_classes {num_classes} is more than the {known} categories"
        yield Finding("warning", "num_classes", "train", message, 1, counted=False)
    used = [_used(dataset) for dataset in (train, val)]
    message = "classes without an object here, but with some in val: they cannot be learnt"
    yield finding("warning", "class_absent", "train", message, sorted(used[1] - used[0]))
    message = "classes without an object here, but with some in train: they cannot be judged"
    yield finding("warning", "class_absent", "val", message, sorted(used[0] - used[1]))
    unused = {category["name"] for category in train.coco.cats.values()} - used[0] - used[1]
    message = "classes without an object in either split"
    yield finding("warning", "class_absent", "both", message, sorted(unused))


def compare_categories(train: CocoDetection, other: CocoDetection, split: str) -> Finding:
    """Find the categories that only one of two splits lists; `split` is what the finding is of."""
    lists = [{(c["id"], c["name"]) for c in each.coco.cats.values()} for each in (train, other)]
    message = "categories that the splits do not share: class indices would shift"
    differing = (f"{index} {name!r}" for index, name in sorted(lists[0] ^ lists[1]))
    return finding("error", "categories", split, message, differing)


def examine_names(dataset: CocoDetection, split: str) -> Iterator[Finding]:
    """Yield image files that are listed more than once, and a split that is mostly background."""
    images = dataset.coco.dataset["images"]
    counts = Counter(map(image_name, images))
    twice = (name for name, count in counts.items() if count > 1)
    yield finding("warning", "listed_twice", split, "image files listed twice", twice)
    bare = [image_name(image) for image in images if not dataset.coco.imgToAnns.get(image["id"])]
    if 2 * len(bare) > len(images):
        message = f"images without an object, of {len(images)}: most of the split is background"
        yield finding("warning", "background", split, message, bare)


def _examine_sides(
    dataset: CocoDetection, split: str, entries: list[dict[str, Any]]
) -> Iterator[Finding]:
    """Yield what is wrong with position and size of the boxes."""
    images = [dataset.coco.imgs[entry["image_id"]] for entry in entries]
    boxes = np.array([entry["bbox"] for entry in entries], dtype=np.float64)  # x, y, w, h
    sizes = np.array([(image["width"], image["height"]) for image in images], dtype=np.float64)
    corners = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
    clipped = corners.clip(0, np.tile(sizes, 2))
    sides = clipped[:, 2:] - clipped[:, :2]
    empty = (sides <= 0).any(axis=1)
    outside = (corners != clipped).any(axis=1) & ~empty
    thin = ~empty & (sides.min(axis=1) < SMALLEST)
    long = ~empty & ~thin & (sides.max(axis=1) > LONGEST * sides.min(axis=1))
    areas = np.array([float(entry["area"]) for entry in entries])
    large = areas > 1.01 * boxes[:, 2:].prod(axis=1) + 1
    crowds = np.array([bool(entry["iscrowd"]) for entry in entries])

    if conventions := list(_conventions(boxes, sizes, corners, split)):
        yield from conventions  # what else is strange about such boxes follows from it
        return
    nothing = "boxes of no width or height, or outside their image"
    kinds: list[tuple[Level, str, str, np.ndarray]]
    if split == "train":
        kinds = [
            ("repaired", "clipped", "boxes clipped to their image", outside & ~crowds),
            ("repaired", "dropped", f"{nothing}, left out", empty & ~crowds),
        ]
    else:
        beyond = outside & (np.abs(corners - clipped).max(axis=1) > SMALLEST)
        message = "training would clip them, evaluation judges them as written"
        missed = f"{nothing}: evaluation counts them as missed"
        kinds = [
            ("warning", "clipped", f"boxes that leave their image: {message}", beyond & ~crowds),
            ("warning", "empty_boxes", missed, empty & ~crowds),
        ]
    absurd = (boxes[:, 2:] / sizes).max(axis=1) > LARGEST
    larger = f"boxes of absurd size, more than {LARGEST:.0f} times that of their image"
    longer = f"boxes more than {LONGEST:.0f} times as long as wide"
    kinds += [
        ("warning", "absurd_size", larger, absurd),
        ("warning", "tiny_boxes", "boxes with a side below 1 pixel", thin),
        ("warning", "long_boxes", longer, long),
        ("warning", "large_areas", "areas larger than their box", large & ~empty),
    ]
    for level, code, message, chosen in kinds:
        cases = (
            f"annotation {entries[i]['id']} of {image_name(images[i])}: {entries[i]['bbox']}"
            for i in np.flatnonzero(chosen)
        )
        yield finding(level, code, split, message, cases)


def _conventions(
    boxes: np.ndarray, sizes: np.ndarray, corners: np.ndarray, split: str
) -> Iterator[Finding]:
    """Find boxes that are no pixels, or no x, y, width, height."""
    if (boxes <= 1).all() and (sizes > 2).all() and (boxes % 1 != 0).any():
        message = "all boxes lie between 0 and 1: COCO wants pixels, not shares of the image"
        yield Finding("error", "normalised_boxes", split, message, len(boxes))
    elif len(boxes) >= ENOUGH:
        ordered = (boxes[:, 2:] > boxes[:, :2]).all() and (boxes[:, 2:] <= sizes + 1).all()
        leaving = (corners[:, 2:] > sizes + 1).any(axis=1)
        if ordered and leaving.mean() > 0.3:
            message = "the boxes look like x1, y1, x2, y2: COCO wants x, y, width, height"
            yield Finding("error", "corner_boxes", split, message, int(leaving.sum()))


def _filled(dataset: CocoDetection, split: str) -> Iterator[Finding]:
    """Report what the dataset filled in while it was read."""
    messages = {
        "area": "areas computed from their box, where missing or not positive",
        "iscrowd": "iscrowd filled in with 0",
        "ids": "annotation ids shifted, to start at 1",
    }
    for code, message in messages.items():
        yield Finding("repaired", code, split, message, dataset.repairs.get(code, 0))


def _repeated(entries: list[dict[str, Any]]) -> Iterable[str]:
    keys = Counter((e["image_id"], e["category_id"], *e["bbox"]) for e in entries)
    return (f"image {key[0]}: {list(key[2:])}" for key, count in keys.items() if count > 1)


def _used(dataset: CocoDetection) -> set[str]:
    """Return the names of the classes that have an object which is no crowd."""
    ids = {e["category_id"] for e in dataset.coco.dataset["annotations"] if not e["iscrowd"]}
    return {dataset.coco.cats[index]["name"] for index in ids}

"""What two splits must agree on: their categories, and which of them occur where."""

from collections import Counter
from collections.abc import Iterator

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.report import Finding, finding
from yolox_attn.data.names import image_name


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
    unused = {category["name"] for category in _categories(train)} - used[0] - used[1]
    message = "classes without an object in either split"
    yield finding("warning", "class_absent", "both", message, sorted(unused))


def compare_categories(train: CocoDetection, other: CocoDetection, split: str) -> Finding:
    """Find the categories that only one of two splits lists; `split` is what the finding is of."""
    lists = [{(c["id"], c["name"]) for c in _categories(each)} for each in (train, other)]
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


def _categories(dataset: CocoDetection) -> list[dict[str, str]]:
    categories: list[dict[str, str]] = dataset.coco.dataset["categories"]
    return categories


def _used(dataset: CocoDetection) -> set[str]:
    """Return the names of the classes that have an object which is no crowd."""
    ids = {e["category_id"] for e in dataset.coco.dataset["annotations"] if not e["iscrowd"]}
    return {dataset.coco.cats[index]["name"] for index in ids}

"""Small COCO sets full of ties, crowds and gaps, and their copies with images really repeated."""

import contextlib
import io
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

Set = tuple[dict[str, Any], list[dict[str, Any]]]  # truth, detections


def random_set(seed: int) -> Set:
    """Draw up to 9 images, ids in disorder; of 5 classes some are empty or only detected."""
    rng = np.random.default_rng(seed)
    image_ids = rng.permutation(50)[: rng.integers(1, 10)].tolist()
    class_ids = rng.permutation(90)[:5].tolist()
    objects, detections = [], []
    for image in image_ids:
        for _ in range(rng.integers(0, 9)):
            kind = class_ids[int(rng.choice(4, p=(0.6, 0.2, 0.15, 0.05)))]
            box = random_box(rng)
            entry = {"image_id": image, "category_id": kind, "bbox": box}
            crowd = int(rng.random() < 0.12)
            area = box[2] * box[3] * rng.uniform(0.6, 1.0)
            objects.append({**entry, "id": len(objects) + 1, "area": area, "iscrowd": crowd})
            for _ in range(rng.integers(0, 4)):
                near = (np.array(box) * rng.uniform(0.85, 1.15, 4)).tolist()
                detections.append({**entry, "bbox": near})
        for _ in range(rng.integers(0, 5)):
            kind = class_ids[rng.integers(5)]
            detections.append({"image_id": image, "category_id": kind, "bbox": random_box(rng)})
    rng.shuffle(detections)
    steps = int(rng.choice([3, 10, 1000]))  # few values of score: ties
    for detection in detections:
        detection["score"] = int(rng.integers(1, steps + 1)) / steps
    images = [{"id": image, "width": 300, "height": 300} for image in image_ids]
    categories = [{"id": kind, "name": f"class {kind}"} for kind in class_ids]
    return {"images": images, "categories": categories, "annotations": objects}, detections


def random_box(rng: np.random.Generator) -> list[float]:
    """Draw a box of any of COCO's three sizes."""
    side = rng.choice([20.0, 60.0, 140.0])
    return [*rng.uniform(0, 150, 2).tolist(), *(side * rng.uniform(0.7, 1.4, 2)).tolist()]


def repeated(truth: dict[str, Any], detections: list[dict[str, Any]], weights: Any) -> Set:
    """Put every image `weights` times into the set, its copies under adjacent ids.

    `weights` stand in the order of the image ids.
    """
    images: list[dict[str, Any]] = []
    objects: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for image, weight in zip(sorted(i["id"] for i in truth["images"]), weights, strict=True):
        for _ in range(int(weight)):
            new = {"image_id": len(images) + 1}
            images.append({"id": new["image_id"]})
            for entry in truth["annotations"]:
                if entry["image_id"] == image:
                    objects.append({**entry, **new, "id": len(objects) + 1})
            results += [{**entry, **new} for entry in detections if entry["image_id"] == image]
    return {"images": images, "categories": truth["categories"], "annotations": objects}, results


def pycocotools_ap(
    truth: dict[str, Any], detections: list[dict[str, Any]]
) -> dict[str, np.ndarray]:
    """AP by pycocotools alone; metric -> [overall, class, class ...], nan where undefined."""
    boxes = [
        {**d, "id": number, "area": d["bbox"][2] * d["bbox"][3], "iscrowd": 0}
        for number, d in enumerate(detections, start=1)
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        known, found = COCO(), COCO()
        known.dataset = truth
        found.dataset = {**truth, "annotations": boxes}
        known.createIndex()
        found.createIndex()
        evaluation = COCOeval(known, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    precision = evaluation.eval["precision"][..., -1]  # (IoU, recall, class, area)
    places = {
        "AP": (slice(None), 0),
        "AP50": (slice(0, 1), 0),
        "AP75": (slice(5, 6), 0),
        "APs": (slice(None), 1),
        "APm": (slice(None), 2),
        "APl": (slice(None), 3),
    }
    result = {}
    for (name, (ious, area)), stat in zip(places.items(), evaluation.stats[:6], strict=True):
        by_class = precision[ious, :, :, area].mean(axis=(0, 1))
        values = np.array([stat, *by_class])
        result[name] = np.where(values > -0.5, values, np.nan)
    return result

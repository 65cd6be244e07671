"""A COCO truth and detections of it, drawn at any size: no image is needed to measure AP."""

from typing import Any

import numpy as np


def drawn_set(
    rng: np.random.Generator, images: int, classes: int, *, detections: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Draw a truth of 7.3 objects an image, classes as uneven as COCO's, and detections of it."""
    share = 1 / np.arange(1, classes + 1) ** 1.1
    share /= share.sum()
    many = int(images * 7.3)
    place, kind = rng.integers(images, size=many), rng.choice(classes, size=many, p=share)
    sides = np.exp(rng.normal(4.2, 0.9, (many, 2))).clip(6, 400)
    boxes = np.concatenate([rng.uniform(0, 640 - 200, (many, 2)), sides], axis=1)
    found = np.flatnonzero(rng.random(many) < 0.85)
    off = rng.exponential(0.07, (len(found), 1))  # of the side: how far a found box is off
    near = boxes[found] + rng.normal(0, 1, (len(found), 4)) * off * sides[found].mean(1)[:, None]
    near[:, 2:] = near[:, 2:].clip(3)
    false = detections - len(found)
    wrong = rng.integers(many, size=false)  # beside an object: in an image of that class, mostly
    there = np.concatenate([place[found], place[wrong]])
    what = np.concatenate([kind[found], kind[wrong]])
    where = np.concatenate([near, boxes[wrong] * rng.uniform(0.3, 1.7, (false, 4))])
    scores = np.concatenate([rng.beta(3, 2, len(found)), rng.beta(0.5, 6, false)]).clip(0.01)
    truth = {
        "images": [{"id": n} for n in range(images)],
        "categories": [{"id": n, "name": f"class {n}"} for n in range(classes)],
        "annotations": [
            {"image_id": i, "category_id": k, "bbox": b, "iscrowd": int(n % 90 == 0)}
            for n, (i, k, b) in enumerate(
                zip(place.tolist(), kind.tolist(), boxes.tolist(), strict=True)
            )
        ],
    }
    return truth, [
        {"image_id": i, "category_id": k, "bbox": b, "score": s}
        for i, k, b, s in zip(
            there.tolist(), what.tolist(), where.tolist(), scores.tolist(), strict=True
        )
    ]

"""A COCO truth and what runs find of it, drawn: everything that matching has to deal with."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.annotations import Truth

Floats = NDArray[np.float64]
SHARES = (0.5, 0.3, 0.15, 0.05)  # of the classes among the objects: the last one is rare
CROWDS = 0.03  # share of the objects that are a crowd
OBJECTS = 3.0  # an image on average, beside one that is always there
FIELD = 400.0  # pixels, side of an image


def draw_truth(images: int, rng: np.random.Generator) -> dict[str, Any]:
    """Draw the content of a COCO truth: 1 object an image and more, of small to large size."""
    place = np.repeat(np.arange(images), 1 + rng.poisson(OBJECTS, images))
    sides = np.exp(rng.normal(4.0, 0.7, (len(place), 2))).clip(8, FIELD / 2)
    boxes = np.concatenate([rng.uniform(0, FIELD - sides), sides], axis=1)
    kinds = rng.choice(len(SHARES), len(place), p=SHARES)
    crowds = rng.random(len(place)) < CROWDS
    return {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": kind, "name": f"class {kind}"} for kind in range(len(SHARES))],
        "annotations": [
            {"image_id": i, "category_id": k, "bbox": b, "area": b[2] * b[3], "iscrowd": int(c)}
            for i, k, b, c in zip(
                place.tolist(), kinds.tolist(), boxes.tolist(), crowds.tolist(), strict=True
            )
        ],
    }


def draw_detections(truth: Truth, sure: Floats, rng: np.random.Generator) -> list[dict[str, Any]]:
    """Draw what a run finds that is so sure of each object, (objects,): COCO results.

    Some objects are missed, some boxes are off, some are found twice or taken for another class,
    some are nothing; scores have two decimals, so that they tie.
    """
    place = np.array([each["image_id"] for each in truth.objects])
    kinds = np.array([each["category_id"] for each in truth.objects])
    boxes = np.array([each["bbox"] for each in truth.objects])
    seen = np.flatnonzero(sure > -1.5)
    again = seen[rng.random(len(seen)) < 0.1]
    wrong = rng.integers(len(place), size=rng.poisson(0.7 * len(truth.images)))
    close = _moved(boxes[seen], 0.06 * np.exp(-0.4 * sure[seen]), rng)
    kind = np.where(rng.random(len(seen)) < 0.04, rng.integers(len(SHARES)), kinds[seen])
    score = [1.0 + sure[seen], sure[again] - 0.5, rng.normal(-1.5, 1.0, len(wrong))]
    return _results(
        np.concatenate([place[seen], place[again], place[wrong]]),
        np.concatenate([kind, kinds[again], kinds[wrong]]),
        np.concatenate([close, _moved(boxes[again], 0.15, rng), _moved(boxes[wrong], 0.6, rng)]),
        np.round(1 / (1 + np.exp(-np.concatenate(score))), 2).clip(0.01),
    )


def _moved(boxes: Floats, off: Floats | float, rng: np.random.Generator) -> Floats:
    """Boxes that are off by so many of their sides, a number or (boxes,)."""
    step = rng.normal(0.0, 1.0, boxes.shape) * np.broadcast_to(off, len(boxes))[:, None]
    moved: Floats = boxes + step * np.tile(boxes[:, 2:], 2)
    moved[:, 2:] = moved[:, 2:].clip(2.0)
    return moved


def _results(
    place: NDArray[np.int64], kind: NDArray[np.int64], boxes: Floats, scores: Floats
) -> list[dict[str, Any]]:
    return [
        {"image_id": i, "category_id": k, "bbox": b, "score": s}
        for i, k, b, s in zip(
            place.tolist(), kind.tolist(), boxes.tolist(), scores.tolist(), strict=True
        )
    ]

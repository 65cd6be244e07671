"""A COCO truth and detections of it, drawn: everything that matching has to deal with, no image.

`draw_truth` and `draw_detections` make the small sets of drawn studies, `draw_large_set` one of
COCO's size for timings.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.annotations import Truth

SHARES = (0.5, 0.3, 0.15, 0.05)  # of the classes among the objects: the last one is rare
CROWDS = 0.03  # share of the objects that are a crowd
OBJECTS = 3.0  # an image on average, besides one that is always there
FIELD = 400.0  # pixels, side of an image
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Content = dict[str, Any]


def draw_truth(images: int, rng: np.random.Generator, shares: Sequence[float] = SHARES) -> Content:
    """Draw the content of a COCO truth: 1 object an image and more, of small to large size.

    Args:
        images: how many.
        rng: draws everything.
        shares: of each class among the objects.
    """
    place = np.repeat(np.arange(images), 1 + rng.poisson(OBJECTS, images))
    sides = np.exp(rng.normal(4.0, 0.7, (len(place), 2))).clip(8, FIELD / 2)
    boxes = np.concatenate([rng.uniform(0, FIELD - sides), sides], axis=1)
    kinds = rng.choice(len(shares), len(place), p=shares)
    crowds = rng.random(len(place)) < CROWDS
    return {**_listed(images, len(shares)), "annotations": _objects(place, kinds, boxes, crowds)}


def draw_detections(truth: Truth, sure: Floats, rng: np.random.Generator) -> list[Content]:
    """Draw the COCO results of a run that is so sure of each object, (objects,).

    Some objects are missed, some boxes are off, some are found twice or taken for another class,
    some are nothing; scores have two decimals, so that they tie.
    """
    place = np.array([each["image_id"] for each in truth.objects])
    kinds = np.array([each["category_id"] for each in truth.objects])
    boxes = np.array([each["bbox"] for each in truth.objects])
    classes = len(truth.class_ids)
    seen = np.flatnonzero(sure > -1.5)
    again = seen[rng.random(len(seen)) < 0.1]
    wrong = rng.integers(len(place), size=rng.poisson(0.7 * len(truth.images)))
    close = _moved(boxes[seen], 0.06 * np.exp(-0.4 * sure[seen]), rng)
    kind = np.where(rng.random(len(seen)) < 0.04, rng.integers(classes), kinds[seen])
    score = [1.0 + sure[seen], sure[again] - 0.5, rng.normal(-1.5, 1.0, len(wrong))]
    return _results(
        np.concatenate([place[seen], place[again], place[wrong]]),
        np.concatenate([kind, kinds[again], kinds[wrong]]),
        np.concatenate([close, _moved(boxes[again], 0.15, rng), _moved(boxes[wrong], 0.6, rng)]),
        np.round(1 / (1 + np.exp(-np.concatenate(score))), 2).clip(0.01),
    )


def draw_large_set(
    rng: np.random.Generator, images: int, classes: int, *, detections: int
) -> tuple[Content, list[Content]]:
    """Draw a truth of 7.3 objects an image, classes as uneven as COCO's, and detections of it."""
    share = 1 / np.arange(1, classes + 1) ** 1.1
    share /= share.sum()
    many = int(images * 7.3)
    place, kind = rng.integers(images, size=many), rng.choice(classes, size=many, p=share)
    sides = np.exp(rng.normal(4.2, 0.9, (many, 2))).clip(6, 400)
    boxes = np.concatenate([rng.uniform(0, 640 - 200, (many, 2)), sides], axis=1)
    seen = np.flatnonzero(rng.random(many) < 0.85)
    off = rng.exponential(0.07, (len(seen), 1))  # of the side
    near = boxes[seen] + rng.normal(0, 1, (len(seen), 4)) * off * sides[seen].mean(1)[:, None]
    near[:, 2:] = near[:, 2:].clip(3)
    false = detections - len(seen)
    wrong = rng.integers(many, size=false)  # near an object: in an image of that class, mostly
    truth = _objects(place, kind, boxes, np.arange(many) % 90 == 0)
    return {**_listed(images, classes), "annotations": truth}, _results(
        np.concatenate([place[seen], place[wrong]]),
        np.concatenate([kind[seen], kind[wrong]]),
        np.concatenate([near, boxes[wrong] * rng.uniform(0.3, 1.7, (false, 4))]),
        np.concatenate([rng.beta(3, 2, len(seen)), rng.beta(0.5, 6, false)]).clip(0.01),
    )


def _moved(boxes: Floats, off: Floats | float, rng: np.random.Generator) -> Floats:
    """Boxes that are off by so many of their sides, a number or (boxes,)."""
    step = rng.normal(0.0, 1.0, boxes.shape) * np.broadcast_to(off, len(boxes))[:, None]
    moved: Floats = boxes + step * np.tile(boxes[:, 2:], 2)
    moved[:, 2:] = moved[:, 2:].clip(2.0)
    return moved


def _listed(images: int, classes: int) -> Content:
    return {
        "images": [{"id": number} for number in range(images)],
        "categories": [{"id": kind, "name": f"class {kind}"} for kind in range(classes)],
    }


def _objects(place: Ints, kinds: Ints, boxes: Floats, crowds: NDArray[np.bool_]) -> list[Content]:
    columns = (place, kinds, boxes, crowds)
    return [
        {"image_id": i, "category_id": k, "bbox": b, "area": b[2] * b[3], "iscrowd": int(c)}
        for i, k, b, c in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _results(place: Ints, kinds: Ints, boxes: Floats, scores: Floats) -> list[Content]:
    columns = (place, kinds, boxes, scores)
    return [
        {"image_id": i, "category_id": k, "bbox": b, "score": s}
        for i, k, b, s in zip(*(column.tolist() for column in columns), strict=True)
    ]

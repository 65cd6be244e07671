"""SimOTA: which anchors are matched with which box (YOLOX, arXiv 2107.08430, section 2.1).

The numbers are those of YOLOX's head, on a CPU bit for bit; each mask and each cost is computed
once, and class costs once a class present in the image instead of once a box.
"""

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

CENTER_RADIUS = 2.5  # cells
IOU_WEIGHT = 3.0
OUTSIDE = 100_000.0  # cost of an anchor that lies outside the box or its centre
MOST_ANCHORS = 10  # whose IoUs decide how many answer for a box


class Anchors(NamedTuple):
    """The A cells of all levels, in pixels: centres x and y and stride, (A,), floating point."""

    x: Tensor
    y: Tensor
    stride: Tensor


class Predictions(NamedTuple):
    """At an image's anchors: boxes cx cy w h (A, 4), logits (A, 1) and (A, classes)."""

    boxes: Tensor
    objectness: Tensor
    classes: Tensor


class Matches(NamedTuple):
    """Foreground anchors, a mask (A,); of each of these M its box, an index, and IoU, (M,)."""

    foreground: Tensor
    box: Tensor
    iou: Tensor


@torch.no_grad()
def assign(anchors: Anchors, predicted: Predictions, boxes: Tensor, classes: Tensor) -> Matches:
    """Match the anchors with an image's G boxes.

    Args:
        anchors: of all levels.
        predicted: at these anchors; without gradients.
        boxes: cx cy w h in pixels, (G, 4).
        classes: (G,), of any type that holds whole numbers.
    """
    if not len(boxes):
        nothing = boxes.new_zeros(0)
        return Matches(torch.zeros_like(anchors.x, dtype=torch.bool), nothing.long(), nothing)
    inside, central = in_boxes(anchors, boxes), in_centers(anchors, boxes)
    candidates = inside.any(dim=0) | central.any(dim=0)
    both = inside[:, candidates] & central[:, candidates]
    predicted = Predictions(*(each[candidates] for each in predicted))
    ious = pairwise_iou(boxes, predicted.boxes)
    cost = class_cost(predicted, classes) + IOU_WEIGHT * -torch.log(ious + 1e-8) + OUTSIDE * ~both
    chosen = choose(cost, ious)
    matched = chosen.any(dim=0)
    foreground = torch.zeros_like(candidates)
    foreground[candidates] = matched
    iou = (chosen * ious).sum(dim=0)[matched]
    return Matches(foreground, chosen[:, matched].to(torch.uint8).argmax(dim=0), iou)


def in_boxes(anchors: Anchors, boxes: Tensor) -> Tensor:
    """Tell whose centre lies in which box: (G, A)."""
    centre, half = boxes[:, :2], 0.5 * boxes[:, 2:]
    left, top = (centre - half).T.unsqueeze(2)
    right, bottom = (centre + half).T.unsqueeze(2)
    x, y = anchors.x, anchors.y
    inside: Tensor = (x > left) & (x < right) & (y > top) & (y < bottom)
    return inside


def in_centers(anchors: Anchors, boxes: Tensor) -> Tensor:
    """Tell whose centre lies within 2.5 cells of the middle of which box: (G, A)."""
    x, y = boxes[:, :2].T.unsqueeze(2)
    reach = CENTER_RADIUS * anchors.stride
    beside = (anchors.x > x - reach) & (anchors.x < x + reach)
    near: Tensor = beside & (anchors.y > y - reach) & (anchors.y < y + reach)
    return near


def pairwise_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """Return the IoU of G and A boxes cx cy w h: (G, A)."""
    sides = []
    for axis in (0, 1):
        middle, half = boxes[:, axis, None], boxes[:, axis + 2, None] / 2
        middles, halves = others[:, axis], others[:, axis + 2] / 2
        low = torch.maximum(middle - half, middles - halves)
        high = torch.minimum(middle + half, middles + halves)
        sides.append((high - low, low < high))
    (width, wide), (height, high) = sides
    shared = width * height * (wide & high)
    areas = (boxes[:, 2] * boxes[:, 3])[:, None] + others[:, 2] * others[:, 3]
    return shared / (areas - shared)


def class_cost(predicted: Predictions, classes: Tensor) -> Tensor:
    """Return the cross-entropy of the joint probability with each box's class: (G, A)."""
    present_classes, which = classes.to(torch.int64).unique(return_inverse=True)
    scores = predicted.classes.float().sigmoid() * predicted.objectness.float().sigmoid()
    scores = scores.sqrt()
    with torch.autocast(scores.device.type, enabled=False):
        if_absent, if_present = (
            functional.binary_cross_entropy(scores, truth, reduction="none")
            for truth in (torch.zeros_like(scores), torch.ones_like(scores))
        )
    truth = functional.one_hot(present_classes, scores.shape[1]).bool()  # refuses other classes
    entropy = torch.where(truth.unsqueeze(1), if_present, if_absent)
    return entropy.sum(dim=-1)[which]


def choose(cost: Tensor, ious: Tensor) -> Tensor:
    """Match each box with its k cheapest anchors, and an anchor with one box: (G, A), bool.

    k is the sum of the box's ten largest IoUs, 1 at least. An anchor among the cheapest of several
    boxes is matched with the one of least cost.
    """
    largest = ious.topk(min(MOST_ANCHORS, ious.shape[1]), dim=1).values
    counts = largest.sum(dim=1).int().clamp(min=1, max=ious.shape[1]).tolist()
    chosen = torch.zeros_like(cost, dtype=torch.bool)
    for row, each, count in zip(chosen, cost, counts, strict=True):
        row[each.topk(count, largest=False).indices] = True
    contested = chosen.sum(dim=0) > 1
    cheapest = cost[:, contested].argmin(dim=0)
    chosen[:, contested] = False
    chosen[cheapest, contested] = True
    return chosen

"""AP of one class in many resamples at once: its layout for counting, and numpy's way to count.

The layout keeps what can change an AP; `ap_numba` reads the same one in compiled loops.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.evaluate import Flags, Ints, Matches

LEVELS = np.linspace(0.0, 1.0, 101)  # of recall, as COCOeval's recThrs to the last bit
ARRAY_SIZE = 2**20  # of an intermediate array: 8 MiB, whatever the size of the class
TINY = float(np.spacing(1))  # COCOeval adds it to the denominator of a precision
Floats = NDArray[np.float64]


class Layout(NamedTuple):
    """One class and area range, detections by falling score; a tuple because numba knows tuples.

    A detection that counts at no IoU, or stands behind the last true positive, changes no AP and
    is left out. Per IoU t there are two lists of places in `rows`, cut at the bounds t and t + 1.

    Attributes:
        rows: (n,) the column of the weights that counts each detection.
        tp_offsets, tp_place: the true positives.
        ignored_offsets, ignored_place: what this IoU ignores among the n.
        ignored_before: how many of the latter stand before each true positive.
        gt_rows, gt_count: the objects, by column of the weights.
    """

    rows: Ints
    tp_offsets: Ints
    tp_place: Ints
    ignored_offsets: Ints
    ignored_place: Ints
    ignored_before: Ints
    gt_rows: Ints
    gt_count: Ints


@dataclass(frozen=True)
class Order:
    """The detections of `Matches` in the order of counting, copies of images taken one by one.

    Where detections of one image and class have equal scores and some are true and others false
    positives, the copies of the image matter: true, false, true, false is not true, true, false,
    false. There each copy stands by itself, and its weight is 1 where the image stands at least
    that often in the resample, else 0.

    Attributes:
        source: place in `Matches` of each; rows: column of the weights; starts: bounds of classes.
        copied_image, copied_number: what the columns after the images' own stand for.
    """

    source: Ints
    rows: Ints
    starts: Ints
    copied_image: Ints
    copied_number: Ints

    def columns(self, weights: NDArray[np.int32], dtype: type) -> NDArray[np.generic]:
        """Return (R, images + copies): the weights, then those of single copies."""
        copies = weights[:, self.copied_image] >= self.copied_number
        return np.concatenate([weights, copies], axis=1, dtype=dtype)


def counting_order(matches: Matches, most: NDArray[np.int32]) -> Order:
    """Lay out the copies; `most`, (images,), is the largest weight of each image."""
    first_column = {}  # of the copies of an image
    copied: list[tuple[int, int]] = []
    source, rows = [], []
    end = 0
    for begin, stop in tied_groups(matches):
        image = int(matches.image_index[begin])
        if image not in first_column:
            first_column[image] = matches.images + len(copied)
            copied += [(image, number) for number in range(1, most[image] + 1)]
        plain = np.arange(end, begin)
        source += [plain, np.tile(np.arange(begin, stop), most[image])]
        own = first_column[image] + np.arange(most[image])
        rows += [matches.image_index[plain], np.repeat(own, stop - begin)]
        end = stop
    last = np.arange(end, len(matches))
    order = np.concatenate([*source, last]).astype(np.int64)
    pairs = np.array(copied, dtype=np.int64).reshape(-1, 2)
    return Order(
        source=order,
        rows=np.concatenate([*rows, matches.image_index[last]]).astype(np.int64),
        starts=np.searchsorted(order, matches.class_offsets).astype(np.int64),
        copied_image=pairs[:, 0],
        copied_number=pairs[:, 1],
    )


def tied_groups(matches: Matches) -> Iterator[tuple[int, int]]:
    """Yield the bounds of equal scores in one image and class, true and false at one IoU and area.

    They are neighbours in the evaluator's order.
    """
    if not len(matches):
        return
    new = np.ones(len(matches), dtype=bool)
    new[1:] = (np.diff(matches.score) != 0) | (np.diff(matches.image_index) != 0)
    new[matches.class_offsets[matches.class_offsets < len(matches)]] = True
    bounds = np.append(np.flatnonzero(new), len(matches))
    for place in np.flatnonzero(np.diff(bounds) > 1):
        begin, stop = int(bounds[place]), int(bounds[place + 1])
        both = matches.tp[:, :, begin:stop].any(axis=2) & matches.fp[:, :, begin:stop].any(2)
        if both.any():
            yield begin, stop


def make_layout(matches: Matches, order: Order, *, label: int, area: int) -> Layout:
    """Lay out class number `label` in area range number `area`."""
    chosen = slice(order.starts[label], order.starts[label + 1])
    source = order.source[chosen]
    true, false = matches.tp[area][:, source], matches.fp[area][:, source]
    counts = (true | false).any(axis=0)
    places = np.flatnonzero(true.any(axis=0))
    counts[places[-1] + 1 if len(places) else 0 :] = False
    true, ignored = true[:, counts], ~(true | false)[:, counts]
    tp_offsets, tp_place = _cut(true)
    ignored_offsets, ignored_place = _cut(ignored)
    before = np.cumsum(ignored, axis=1)[true]
    objects = slice(matches.gt_offsets[label], matches.gt_offsets[label + 1])
    return Layout(
        rows=order.rows[chosen][counts],
        tp_offsets=tp_offsets,
        tp_place=tp_place,
        ignored_offsets=ignored_offsets,
        ignored_place=ignored_place,
        ignored_before=before.astype(np.int64),
        gt_rows=matches.gt_image[objects],
        gt_count=matches.gt_count[area, objects],
    )


def _cut(flags: Flags) -> tuple[Ints, Ints]:
    """Return where each row's places begin (one bound more than rows), and the places."""
    starts = np.concatenate([[0], np.cumsum(flags.sum(axis=1))])
    return starts.astype(np.int64), np.nonzero(flags)[1].astype(np.int64)


def class_ap(layout: Layout, weights: Floats) -> Floats:
    """Return (T, R) average precision; nan where a resample shows no object of the class.

    COCOeval's accumulate with counts of weights. Precision can only rise where a true positive
    stands, so only there is it taken; of a detection that stands w times, the last copy has the
    highest, and it is the envelope for every recall level that the w copies pass.

    Args:
        layout: T IoU thresholds.
        weights: (R, columns of the layout's rows), whole numbers.
    """
    objects = weights[:, layout.gt_rows] @ layout.gt_count.astype(np.float64)
    result = np.full((len(layout.tp_offsets) - 1, len(weights)), np.nan)
    shown = np.flatnonzero(objects > 0)
    step = max(1, ARRAY_SIZE // max(1, len(layout.rows), int(objects.max(initial=0))))
    for begin in range(0, len(shown), step):
        part = shown[begin : begin + step]
        result[:, part] = _shown_ap(layout, weights[part], objects[part])
    return result


def _shown_ap(layout: Layout, weights: Floats, objects: Floats) -> Floats:
    result = np.zeros((len(layout.tp_offsets) - 1, len(weights)))
    if not result.size or not len(layout.tp_place):
        return result
    own = weights[:, layout.rows]  # (R, n)
    seen = np.cumsum(own, axis=1)
    most = int(objects.max()) + 1
    passed = np.searchsorted(LEVELS, np.arange(most) / objects[:, None], side="right")  # (R, most)
    first = np.arange(len(weights))[:, None] * most  # of each resample in the flat table
    for t, row in enumerate(result):
        places = layout.tp_place[layout.tp_offsets[t] : layout.tp_offsets[t + 1]]
        if len(places):
            true = np.cumsum(own[:, places], axis=1)
            precision = true / (seen[:, places] - _ignored_before(layout, own, t) + TINY)
            best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            levels = passed.ravel()[true.astype(np.int64) + first]
            row[:] = np.einsum("re,re->r", best, np.diff(levels, axis=1, prepend=0))
    return result / len(LEVELS)


def _ignored_before(layout: Layout, own: Floats, t: int) -> Floats:
    """Return the weight ignored before each true positive: (R, true positives), or (1, 1) zero."""
    places = layout.ignored_place[layout.ignored_offsets[t] : layout.ignored_offsets[t + 1]]
    if not len(places):
        return np.zeros((1, 1))
    before = layout.ignored_before[layout.tp_offsets[t] : layout.tp_offsets[t + 1]]
    counts = np.zeros((len(own), len(places) + 1))
    np.cumsum(own[:, places], axis=1, out=counts[:, 1:])
    return counts[:, before]

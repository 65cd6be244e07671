"""The detections of one class laid out for the accumulation of many resamples."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from yolox_attn.stats.matches import Flags, Ints, Matches


class Track(NamedTuple):
    """One class and area range, detections by falling score; a tuple because numba knows tuples.

    A detection that counts at no IoU, or stands behind the last true positive, changes no AP and
    is left out. Per IoU t there are two lists of places in `rows`, cut at the bounds t and t + 1.

    Attributes:
        rows: (n,) the column of the weights that counts each detection.
        true_starts, true_place: the true positives.
        void_starts, void_place: what this IoU ignores among the n.
        void_before: how many of the latter stand before each true positive.
        object_rows, object_count: the objects, by column of the weights.
    """

    rows: Ints
    true_starts: Ints
    true_place: Ints
    void_starts: Ints
    void_place: Ints
    void_before: Ints
    object_rows: Ints
    object_count: Ints


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
        image = int(matches.image[begin])
        if image not in first_column:
            first_column[image] = matches.images + len(copied)
            copied += [(image, number) for number in range(1, most[image] + 1)]
        plain = np.arange(end, begin)
        source += [plain, np.tile(np.arange(begin, stop), most[image])]
        own = first_column[image] + np.arange(most[image])
        rows += [matches.image[plain], np.repeat(own, stop - begin)]
        end = stop
    rest = np.arange(end, len(matches))
    order = np.concatenate([*source, rest]).astype(np.int64)
    pairs = np.array(copied, dtype=np.int64).reshape(-1, 2)
    return Order(
        source=order,
        rows=np.concatenate([*rows, matches.image[rest]]).astype(np.int64),
        starts=np.searchsorted(order, matches.starts).astype(np.int64),
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
    new[1:] = (np.diff(matches.score) != 0) | (np.diff(matches.image) != 0)
    new[matches.starts[matches.starts < len(matches)]] = True
    bounds = np.append(np.flatnonzero(new), len(matches))
    for place in np.flatnonzero(np.diff(bounds) > 1):
        begin, stop = int(bounds[place]), int(bounds[place + 1])
        both = matches.true[:, :, begin:stop].any(axis=2) & matches.false[:, :, begin:stop].any(2)
        if both.any():
            yield begin, stop


def make_track(matches: Matches, order: Order, *, label: int, area: int) -> Track:
    """Lay out class number `label` in area range number `area`."""
    chosen = slice(order.starts[label], order.starts[label + 1])
    source = order.source[chosen]
    true, false = matches.true[area][:, source], matches.false[area][:, source]
    counts = (true | false).any(axis=0)
    found = np.flatnonzero(true.any(axis=0))
    counts[found[-1] + 1 if len(found) else 0 :] = False
    true, void = true[:, counts], ~(true | false)[:, counts]
    true_starts, true_place = _cut(true)
    void_starts, void_place = _cut(void)
    before = np.cumsum(void, axis=1)[true]
    objects = slice(matches.object_starts[label], matches.object_starts[label + 1])
    return Track(
        rows=order.rows[chosen][counts],
        true_starts=true_starts,
        true_place=true_place,
        void_starts=void_starts,
        void_place=void_place,
        void_before=before.astype(np.int64),
        object_rows=matches.object_image[objects],
        object_count=matches.object_count[area, objects],
    )


def _cut(flags: Flags) -> tuple[Ints, Ints]:
    """Return where each row's places begin (one bound more than rows), and the places."""
    starts = np.concatenate([[0], np.cumsum(flags.sum(axis=1))])
    return starts.astype(np.int64), np.nonzero(flags)[1].astype(np.int64)

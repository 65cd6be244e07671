"""The area under precision and recall of one class in many resamples at once, in numpy."""

import numpy as np
from numpy.typing import NDArray

from yolox_attn.stats.tracks import Track

LEVELS = np.linspace(0.0, 1.0, 101)  # of recall, as COCOeval's recThrs to the last bit
HELD = 2**20  # numbers of one intermediate array: 8 MiB, whatever the size of the class
TINY = float(np.spacing(1))  # COCOeval adds it below the fraction bar
Floats = NDArray[np.float64]


def class_ap(track: Track, weights: Floats) -> Floats:
    """Return (T, R) average precision; nan where a resample shows no object of the class.

    COCOeval's accumulate with counts of weights. Precision can only rise where a true positive
    stands, so only there is it taken; of a detection that stands w times, the last copy has the
    highest, and it is the envelope for every recall level that the w copies pass.

    Args:
        track: T IoU thresholds.
        weights: (R, columns of the track's rows), whole numbers.
    """
    objects = weights[:, track.object_rows] @ track.object_count.astype(np.float64)
    result = np.full((len(track.true_starts) - 1, len(weights)), np.nan)
    shown = np.flatnonzero(objects > 0)
    step = max(1, HELD // max(1, len(track.rows), int(objects.max(initial=0))))
    for begin in range(0, len(shown), step):
        part = shown[begin : begin + step]
        result[:, part] = _shown_ap(track, weights[part], objects[part])
    return result


def _shown_ap(track: Track, weights: Floats, objects: Floats) -> Floats:
    result = np.zeros((len(track.true_starts) - 1, len(weights)))
    if not result.size or not len(track.true_place):
        return result
    own = weights[:, track.rows]  # (R, n)
    seen = np.cumsum(own, axis=1)
    most = int(objects.max()) + 1
    passed = np.searchsorted(LEVELS, np.arange(most) / objects[:, None], side="right")  # (R, most)
    first = np.arange(len(weights))[:, None] * most  # of each resample in the flat table
    for t, found in enumerate(result):
        places = track.true_place[track.true_starts[t] : track.true_starts[t + 1]]
        if len(places):
            true = np.cumsum(own[:, places], axis=1)
            precision = true / (seen[:, places] - _void(track, own, t) + TINY)
            best = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
            levels = passed.ravel()[true.astype(np.int64) + first]
            found[:] = np.einsum("re,re->r", best, np.diff(levels, axis=1, prepend=0))
    return result / len(LEVELS)


def _void(track: Track, own: Floats, t: int) -> Floats:
    """Return the weight ignored before each true positive: (R, true positives), or (1, 1) zero."""
    places = track.void_place[track.void_starts[t] : track.void_starts[t + 1]]
    if not len(places):
        return np.zeros((1, 1))
    before = track.void_before[track.true_starts[t] : track.true_starts[t + 1]]
    counts = np.zeros((len(own), len(places) + 1))
    np.cumsum(own[:, places], axis=1, out=counts[:, 1:])
    return counts[:, before]

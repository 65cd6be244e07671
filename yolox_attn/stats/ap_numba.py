"""The same area as in `ap_numpy`, as loops that numba compiles where it is installed."""

from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np

from yolox_attn.coco.evaluate import Ints
from yolox_attn.errors import InputError
from yolox_attn.stats.ap_numpy import LEVELS, TINY, Floats, Layout

Loops = Callable[[Layout, Ints, Floats, Floats], None]


@cache
def compiled_loops() -> Loops:
    """Compile `fill_ap`, free of Python's lock; the first call of what it returns takes seconds.

    Raises:
        InputError: numba is not there, or does not work with this numpy.
    """
    try:
        numba: Any = import_module("numba")
        extending: Any = import_module("numba.extending")
    except ImportError as error:
        raise InputError(f"the compiled engine needs numba (extra [fast]): {error}") from error
    for helper in (levels_passed, area_under):
        extending.register_jitable(helper)
    compiled: Loops = numba.njit(nogil=True)(fill_ap)
    return compiled


def class_ap_compiled(layout: Layout, weights: Ints) -> Floats:
    """Return what `ap_numpy.class_ap` returns, to rounding.

    Raises:
        InputError: numba is not there.
    """
    result = np.empty((len(layout.tp_offsets) - 1, len(weights)))
    compiled_loops()(layout, weights, LEVELS, result)
    return result


def fill_ap(layout: Layout, weights: Ints, levels: Floats, result: Floats) -> None:
    """Write the AP of every IoU and resample into `result`, (T, R); also runs uncompiled."""
    seen = np.empty(len(layout.rows), dtype=np.int64)
    for r in range(len(weights)):
        own = weights[r]
        objects = 0
        for j in range(len(layout.gt_rows)):
            objects += own[layout.gt_rows[j]] * layout.gt_count[j]
        if objects == 0:
            result[:, r] = np.nan
            continue
        passed = levels_passed(objects, levels)
        total = 0
        for j in range(len(layout.rows)):
            total += own[layout.rows[j]]
            seen[j] = total
        for t in range(len(result)):
            result[t, r] = area_under(layout, t, own, seen, passed) / len(levels)


def levels_passed(objects: int, levels: Floats) -> Ints:
    """Return (objects + 1,): how many recall levels are reached by finding 0, 1, ... of them."""
    passed = np.empty(objects + 1, dtype=np.int64)
    level = 0
    for found in range(objects + 1):
        while level < len(levels) and levels[level] <= found / objects:
            level += 1
        passed[found] = level
    return passed


def area_under(layout: Layout, t: int, own: Ints, seen: Ints, passed: Ints) -> float:
    """Sum the precision envelope over the recall levels at IoU number t of one resample."""
    begin, end = layout.tp_offsets[t], layout.tp_offsets[t + 1]
    true = np.empty(end - begin, dtype=np.int64)
    precision = np.empty(end - begin)
    found = 0
    ignored = 0
    next_ignored = layout.ignored_offsets[t]
    for j in range(end - begin):
        place = layout.tp_place[begin + j]
        found += own[layout.rows[place]]
        while next_ignored < layout.ignored_offsets[t] + layout.ignored_before[begin + j]:
            ignored += own[layout.rows[layout.ignored_place[next_ignored]]]
            next_ignored += 1
        true[j] = found
        precision[j] = found / (seen[place] - ignored + TINY)
    area = 0.0
    best = 0.0
    for j in range(end - begin - 1, -1, -1):
        best = max(best, precision[j])
        area += best * (passed[true[j]] - (passed[true[j - 1]] if j > 0 else 0))
    return area

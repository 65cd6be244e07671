"""AP of many resamples of the test images at once, exactly as pycocotools would give it."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.evaluate import AREAS, Matches
from yolox_attn.errors import InputError
from yolox_attn.machine import usable_cores
from yolox_attn.stats.ap_numba import class_ap_compiled, compiled_loops
from yolox_attn.stats.ap_numpy import Floats, Layout, Order, class_ap, counting_order, make_layout

AP_METRICS = {  # name: area range, IoU thresholds
    "AP": ("all", slice(None)),
    "AP50": ("all", slice(0, 1)),
    "AP75": ("all", slice(5, 6)),
    "APs": ("small", slice(None)),
    "APm": ("medium", slice(None)),
    "APl": ("large", slice(None)),
}


@dataclass(frozen=True)
class Engine:
    """How a class's AP is computed; every engine gives the same numbers to 1e-12."""

    name: str
    class_ap: Callable[[Layout, NDArray[Any]], Floats]
    dtype: type  # of the weights that `class_ap` takes
    threads: int
    block: int = 64  # replicates held at once


def numpy_engine(threads: int | None = None) -> Engine:
    """Return the engine that is always there; by default a thread for each core."""
    return Engine("numpy", class_ap, np.float64, threads or usable_cores())


def compiled_engine(threads: int | None = None) -> Engine:
    """Return numba's.

    Raises:
        InputError: numba is not there.
    """
    compiled_loops()
    return Engine("numba", class_ap_compiled, np.int64, threads or usable_cores())


def best_engine() -> Engine:
    """Return numba's engine where numba works, else numpy's."""
    try:
        return compiled_engine()
    except InputError:
        return numpy_engine()


@dataclass(frozen=True)
class WeightedAP:
    """AP of every resample, as fractions.

    Attributes:
        overall: metric -> (R,), the mean over the classes that the resample shows; nan if none.
        by_class: metric -> (R, K), nan where the resample shows no object of the class.
    """

    overall: dict[str, Floats]
    by_class: dict[str, Floats]


def weighted_ap(
    matches: Matches,
    weights: NDArray[np.integer[Any]],
    *,
    metrics: Sequence[str] = tuple(AP_METRICS),
    engine: Engine | None = None,
) -> WeightedAP:
    """Return the AP of each resample: every image as often as its weight says.

    Equal to COCOeval on the set in which the copies of an image stand under adjacent ids.

    Args:
        matches: one run's.
        weights: (R, images) whole numbers, not negative; a row of ones gives the run's own AP.
        metrics: names out of `AP_METRICS`; areas that no metric needs are not computed.
        engine: `best_engine` if None.

    Raises:
        InputError: weights or metrics of another kind.
    """
    weights = _checked(weights, matches)
    if unknown := [name for name in metrics if name not in AP_METRICS]:
        raise InputError(f"unknown metric {unknown[0]!r}; known: {', '.join(AP_METRICS)}")
    engine = engine or best_engine()
    by_class = {name: np.empty((len(weights), len(matches.class_names))) for name in metrics}
    order = counting_order(matches, weights.max(axis=0, initial=0))
    areas = [area for area in AREAS if any(AP_METRICS[name][0] == area for name in metrics)]
    with ThreadPoolExecutor(engine.threads) as pool:
        for area in areas:
            layouts = [
                make_layout(matches, order, label=label, area=AREAS.index(area))
                for label in range(len(matches.class_names))
            ]
            names = [name for name in metrics if AP_METRICS[name][0] == area]
            for rows, values in _blocks(layouts, order, weights, engine, pool):
                for name in names:
                    by_class[name][rows] = values[:, AP_METRICS[name][1]].mean(axis=1).T
    return WeightedAP({name: _mean_of_classes(by_class[name]) for name in metrics}, by_class)


def _mean_of_classes(by_class: Floats) -> Floats:
    """Return the mean over the last axis without the nans; nan where there is nothing else."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return np.asarray(np.nanmean(by_class, axis=-1))


def _blocks(
    layouts: list[Layout],
    order: Order,
    weights: NDArray[np.int32],
    engine: Engine,
    pool: ThreadPoolExecutor,
) -> Iterator[tuple[slice, Floats]]:
    """Yield the rows of a block and its AP: (K, T, rows).

    Every thread gets a share of every class, however few classes there are; long ones go first.
    """
    longest = np.argsort([-len(layout.rows) for layout in layouts], kind="stable").tolist()
    for begin in range(0, len(weights), engine.block):
        rows = slice(begin, min(begin + engine.block, len(weights)))
        shares = np.array_split(order.columns(weights[rows], engine.dtype), engine.threads)
        tasks = [(layouts[k], share) for k in longest for share in shares]
        computed = pool.map(engine.class_ap, *zip(*tasks, strict=True))
        parts = {k: np.concatenate(list(islice(computed, len(shares))), axis=1) for k in longest}
        yield rows, np.stack([parts[k] for k in range(len(layouts))])


def _checked(weights: NDArray[np.integer[Any]], matches: Matches) -> NDArray[np.int32]:
    if weights.ndim != 2 or weights.shape[1] != matches.images:
        raise InputError(f"weights {weights.shape} for {matches.images} images: (R, images) needed")
    if not np.issubdtype(weights.dtype, np.integer):
        raise InputError(f"weights must be whole numbers, not {weights.dtype}")
    if weights.size and (weights.min() < 0 or weights.max() > np.iinfo(np.int32).max):
        raise InputError("weights must be 0 or more, and below 2^31")
    return weights.astype(np.int32, copy=False)

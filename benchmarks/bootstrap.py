"""AP of 1,000 image resamples, and of 1,000 blocks left out: ours and pycocotools in one process.

    python benchmarks/bootstrap.py [--quick] [--replicates 1000] [--threads 2]

Draws a set of COCO's size (5,000 images, 80 classes, 36 thousand objects, over 200 thousand
detections), lets pycocotools match it once (about a minute) and prints a Markdown table. A
replicate costs pycocotools one accumulate, timed on the drawn set itself, which has the size of a
resample: as it comes (4 area ranges, 3 numbers of detections), and reduced to the part that
AP50:95 needs. CPU seconds are of all threads; on a busy machine they say more than the time that
passed. Where hotcoco is installed, the table has its `compare` too: what it adds for each replicate
and model, all metrics. `--quick` is a set of 300 images, for a few seconds.
"""

import argparse
import contextlib
import gc
import importlib
import importlib.util
import io
import os
import time
from collections.abc import Callable
from dataclasses import fields
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
from drawn_boxes import draw_large_set

from yolox_attn.coco.annotations import Truth, truth_from
from yolox_attn.coco.evaluate import (
    Matches,
    best_matcher,
    match,
    matches_of,
    reference_matcher,
    run_pycocotools,
)
from yolox_attn.coco.results import check_detections
from yolox_attn.stats.bootstrap import image_weights
from yolox_attn.stats.jackknife import draw_blocks, leave_out_weights
from yolox_attn.stats.weighted_ap import AP_METRICS as ALL
from yolox_attn.stats.weighted_ap import (
    Engine,
    WeightedAP,
    compiled_engine,
    numpy_engine,
    weighted_ap,
)

AP_METRICS = ("AP", "AP50", "AP75")  # all from one pass over the area range "all"
Timed = tuple[float, float, Any]  # seconds passed, CPU seconds of all threads, result


def timed(function: Callable[[], Any]) -> Timed:
    """Return what a call took, and its result."""
    start, work = time.perf_counter(), time.process_time()
    result = function()
    return time.perf_counter() - start, time.process_time() - work, result


def accumulate(evaluation: Any, areas: int, most: list[int]) -> float:
    """Let pycocotools accumulate the first `areas` area ranges; return AP50:95."""
    evaluation.params.areaRng = evaluation._paramsEval.areaRng[:areas]
    evaluation.params.maxDets = evaluation._paramsEval.maxDets = most
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return float(precision[precision > -1].mean())


def memory(field: str) -> float:
    """Return VmRSS or VmHWM (the peak) of this process in MiB; nan where there is no /proc."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(field)), np.nan)


def forget_peak() -> None:
    """Let the kernel count the peak of memory anew, where it can."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def hotcoco_replicate(truth: Truth, results: list[dict[str, Any]], replicates: int) -> Timed | None:
    """Time what hotcoco's compare adds for one replicate and model; None if not installed."""
    if importlib.util.find_spec("hotcoco") is None:
        return None
    hotcoco: Any = importlib.import_module("hotcoco")
    images = [{"id": n, "width": 640, "height": 640} for n in range(len(truth.images))]
    kinds = [{"id": n, "name": name} for n, name in enumerate(truth.class_names)]
    known = hotcoco.COCO(
        {"images": images, "categories": kinds, "annotations": list(truth.objects)}
    )
    sides = [hotcoco.COCOeval(known, known.load_res(results), "bbox") for _ in "AB"]
    for side in sides:
        side.evaluate()
    none = timed(lambda: hotcoco.compare(*sides, n_bootstrap=0))
    some = timed(lambda: hotcoco.compare(*sides, n_bootstrap=replicates))
    each = 2 * replicates
    return (some[0] - none[0]) / each, (some[1] - none[1]) / each, None


def prepared(size: tuple[int, int, int]) -> tuple[Matches, dict[str, Timed]]:
    """Return the matches of a drawn set, and what the others take for one replicate of it."""
    images, classes, detections = size
    rng = np.random.default_rng(0)
    content, results = draw_large_set(rng, images, classes, detections=detections)
    truth = truth_from(content)
    seconds, _, evaluation = timed(
        lambda: run_pycocotools(truth, check_detections(truth, results, "the drawn set"))
    )
    matches = matches_of(evaluation, truth)
    print(f"{images} images, {classes} classes, {len(truth.objects)} objects, ", end="")
    print(f"{len(matches)} detections; matched by pycocotools in {seconds:.1f} s", end="")
    if (fast := best_matcher()).name != reference_matcher().name:
        seconds, _, again = timed(lambda: match(truth, results, matcher=fast))
        print(f", by {fast.name} in {seconds:.1f} s, the same: {same(matches, again)}", end="")
    print("\n")
    full = [timed(lambda: accumulate(evaluation, 4, [1, 10, 100])) for _ in range(3)]
    reduced = [timed(lambda: accumulate(evaluation, 1, [100])) for _ in range(3)]
    others = {
        "pycocotools accumulate, as it comes": min(full, key=itemgetter(1)),
        "pycocotools accumulate, AP50:95 alone": min(reduced, key=itemgetter(1)),
    }
    if hot := hotcoco_replicate(truth, results, 20):
        others["hotcoco compare"] = hot
    return matches, others


def same(one: Matches, other: Matches) -> bool:
    """Tell whether two matchings are equal to the last bit."""
    pairs = ((getattr(one, each.name), getattr(other, each.name)) for each in fields(Matches))
    return all(np.array_equal(left, right) for left, right in pairs)


def bootstrapped(
    matches: Matches, weights: Any, engine: Engine, metrics: tuple[str, ...]
) -> tuple[float, WeightedAP]:
    """Time an engine and print its row; return seconds a replicate, and the result."""
    weighted_ap(matches, weights[:1], metrics=metrics, engine=engine)  # numba compiles, 3 seconds
    forget_peak()
    before = memory("VmRSS")
    passed, work, result = timed(
        lambda: weighted_ap(matches, weights, metrics=metrics, engine=engine)
    )
    name = f"{engine.name}, {engine.threads} threads, {len(metrics)} metrics"
    print(
        f"| {name} | {passed:.2f} s | {work:.2f} s | {passed / len(weights) * 1e3:.2f} ms ", end=""
    )
    print(f"| {memory('VmHWM'):.0f} MiB ({before:.0f}) |", flush=True)
    return passed / len(weights), result


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="300 images, 100 replicates")
    parser.add_argument("--replicates", type=int, help="of each engine (1000; quick: 100)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = str(args.threads)  # hotcoco's
    replicates = args.replicates or (100 if args.quick else 1000)
    matches, others = prepared((300, 20, 13_500) if args.quick else (5000, 80, 226_000))
    gc.collect()
    weights = image_weights(np.random.default_rng(1), matches.images, replicates)
    weights[0] = 1
    engines = [numpy_engine(args.threads)]
    if importlib.util.find_spec("numba"):
        engines.append(compiled_engine(args.threads))
    print(f"| | {replicates} replicates | CPU | a replicate | peak memory (before) |")
    print("| --- " * 5 + "|")
    for name, (passed, work, _) in others.items():
        print(f"| {name} | - | {work * 1e3:.1f} ms each | {passed * 1e3:.1f} ms | - |")
    runs = [bootstrapped(matches, weights, engine, AP_METRICS) for engine in engines]
    bootstrapped(matches, weights, engines[-1], tuple(ALL))
    blocks = draw_blocks(np.random.default_rng(1), matches.images)
    left_out = leave_out_weights(blocks)[:replicates]
    print(f"| jackknife, {len(left_out)} of {int(blocks.max()) + 1} blocks left out: | | | | |")
    jackknife, _ = bootstrapped(matches, left_out, engines[-1], AP_METRICS)
    each, _ = runs[-1]
    print(f"\na block left out takes {jackknife / each:.2f} times a resample", end="")
    print(f"\n{engines[-1].name} with {len(AP_METRICS)} metrics is faster than ", end="")
    print("; ".join(f"{name}: {other[0] / each:.0f} times" for name, other in others.items()))
    first = runs[0][1].overall["AP"]
    reference = others["pycocotools accumulate, as it comes"][2]
    print(f"AP {first[0]:.4f}; from pycocotools {abs(first[0] - reference):.1e}", end="")
    apart = max(float(np.abs(result.overall["AP"] - first).max()) for _, result in runs)
    print(f"; engines apart by at most {apart:.1e}; SD of the resamples {first[1:].std():.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

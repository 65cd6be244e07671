"""AP of 1,000 image resamples: this package's engines beside pycocotools, in one process.

    python benchmarks/bootstrap.py [--quick] [--replicates 1000] [--threads 2]

Draws a set of COCO's size (5,000 images, 80 classes, 36 thousand objects, over 200 thousand
detections), lets pycocotools match it once (about a minute) and prints a Markdown table. A
replicate costs pycocotools one accumulate, timed on the drawn set itself, which has the size of a
resample: as it comes (4 area ranges, 3 numbers of detections), and reduced to the part that
AP50:95 needs. CPU seconds are of all threads; on a busy machine they say more than the time that
passed. `--quick` is a set of 300 images, for a few seconds.
"""

import argparse
import contextlib
import gc
import importlib.util
import io
import time
from collections.abc import Callable
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np

from yolox_attn.stats.matches import Matches, evaluate, matches_of
from yolox_attn.stats.resample import image_weights
from yolox_attn.stats.truth import truth_from
from yolox_attn.stats.weighted import Engine, WeightedAP, compiled_engine, numpy_engine, weighted_ap

FIGURES = ("AP", "AP50", "AP75")  # all from one pass over the area range "all"
Timed = tuple[float, float, Any]  # seconds passed, CPU seconds of all threads, result


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


def prepared(images: int, classes: int, detections: int) -> tuple[Matches, list[Timed]]:
    """Return matches; and an accumulate as it comes and a reduced one (the last of 3 each)."""
    truth, found = drawn_set(np.random.default_rng(0), images, classes, detections=detections)
    checked = truth_from(truth)
    seconds, _, (evaluation, _) = timed(lambda: evaluate(checked, found))
    matches = matches_of(evaluation, checked)
    print(f"{images} images, {classes} classes, {len(truth['annotations'])} objects, ", end="")
    print(f"{len(matches)} detections; matched by pycocotools in {seconds:.1f} s\n")
    full = [timed(lambda: accumulate(evaluation, 4, [1, 10, 100])) for _ in range(3)]
    reduced = [timed(lambda: accumulate(evaluation, 1, [100])) for _ in range(3)]
    return matches, [min(full, key=itemgetter(1)), min(reduced, key=itemgetter(1))]


def bootstrapped(matches: Matches, weights: Any, engine: Engine, judges: list[Timed]) -> WeightedAP:
    """Time an engine and print its row of the table."""
    weighted_ap(matches, weights[:1], figures=FIGURES, engine=engine)  # numba compiles, 3 seconds
    forget_peak()
    before = memory("VmRSS")
    passed, work, result = timed(
        lambda: weighted_ap(matches, weights, figures=FIGURES, engine=engine)
    )
    ratios = " | ".join(f"{judge[0] * len(weights) / passed:.0f}" for judge in judges)
    print(f"| {engine.name}, {engine.threads} threads | {passed:.2f} s | {work:.2f} s | ", end="")
    print(f"{passed / len(weights) * 1e3:.2f} ms | {ratios} | ", end="")
    print(f"{memory('VmHWM'):.0f} MiB ({before:.0f}) |", flush=True)
    return result


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="300 images, 100 replicates")
    parser.add_argument("--replicates", type=int, help="of each engine (1000; quick: 100)")
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    replicates = args.replicates or (100 if args.quick else 1000)
    matches, judges = prepared(*((300, 20, 13_500) if args.quick else (5000, 80, 226_000)))
    gc.collect()
    weights = image_weights(np.random.default_rng(1), matches.images, replicates)
    weights[0] = 1
    engines = [numpy_engine(args.threads)]
    if importlib.util.find_spec("numba"):
        engines.append(compiled_engine(args.threads))
    print(
        f"| engine | {replicates} replicates | CPU | a replicate | times as fast as accumulate ",
        end="",
    )
    print("| as AP50:95 alone | peak memory (before) |\n" + "| --- " * 7 + "|")
    for name, (passed, work, _) in zip(("as it comes", "AP50:95 alone"), judges, strict=True):
        print(f"| pycocotools accumulate, {name} | - | {work:.2f} s each | ", end="")
        print(f"{passed * 1e3:.1f} ms | | | |")
    results = [bootstrapped(matches, weights, engine, judges) for engine in engines]
    first = results[0].overall["AP"]
    print(f"\nAP {first[0]:.4f}; from pycocotools {abs(first[0] - judges[0][2]):.1e}", end="")
    apart = max(float(np.abs(r.overall["AP"] - first).max()) for r in results)
    print(f"; engines apart by at most {apart:.1e}; SD of the resamples {first[1:].std():.4f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

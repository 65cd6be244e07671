"""How long a report's measuring takes at COCO's size, the first time and again.

    python benchmarks/report_again.py [--runs 3] [--quick]

A drawn truth of 5,000 images and 80 classes; each run has 226,000 detections in a file. Prints the
seconds of a run: its parts by themselves, `measure_once` the first time, and a second time, when
nothing is matched any more.
"""

import argparse
import json
import os
import resource
import statistics
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from drawn_boxes import draw_large_set

from yolox_attn.coco.annotations import truth_from
from yolox_attn.coco.evaluate import match
from yolox_attn.coco.results import read_detections
from yolox_attn.stats.measured import digest_of, draw_resamples, measure
from yolox_attn.stats.measured_cache import measure_once
from yolox_attn.stats.terms import Terms


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--runs", type=int, default=3, metavar="N")
    parser.add_argument("--quick", action="store_true", help="300 images")
    args = parser.parse_args()
    images, classes, boxes = (300, 20, 13_500) if args.quick else (5000, 80, 226_000)
    times: dict[str, list[float]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["YOLOX_ATTN_CACHE"] = folder
        for number in range(args.runs):
            rng = np.random.default_rng(number)
            truth, detections = draw_large_set(rng, images, classes, detections=boxes)
            resamples = draw_resamples(truth_from(truth), Terms())
            path = Path(folder, f"{number}.json")
            path.write_text(json.dumps(detections))
            del detections
            start = time.perf_counter()
            read = read_detections(path)
            digest_of(read)
            times["read and digest"].append(time.perf_counter() - start)
            start = time.perf_counter()
            matches = match(resamples.truth, read)
            times["match"].append(time.perf_counter() - start)
            del read
            start = time.perf_counter()
            measure(matches, resamples.weights, resamples.blocks)
            times["AP of 2,000 resamples and the jackknife"].append(time.perf_counter() - start)
            del matches
            for name in ("the first time", "again"):
                start = time.perf_counter()
                measure_once(path, resamples)
                times[name].append(time.perf_counter() - start)
    for name, each in times.items():
        print(f"{name}: {statistics.median(each):.2f} s ({min(each):.2f} to {max(each):.2f})")
    parts = list(times)[:3]
    sums = [sum(row) for row in zip(*(times[name] for name in parts), strict=True)]
    ratios = [first / total for first, total in zip(times["the first time"], sums, strict=True)]
    print(f"the first time / the sum of its parts: {statistics.median(ratios):.2f}")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10:.0f} MiB")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

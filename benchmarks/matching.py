"""Matching and AP of a run's detections at COCO's size: as it was and as it is, in one process.

    python benchmarks/matching.py [--rounds 7] [--quick] [--json FILE]

A drawn truth of 5,000 images and 80 classes, and 226,000 detections of it in a file. In every round
the file is read, and both ways match what was read and take the AP of all images, by one thread;
they take turns in being first. Before anything is timed, all that they find must be equal. Prints
the ratio of each round: median and range. The peak of memory is that of a process of its own for
each way, next to what it holds once the file is read. `--quick` is a set of 300 images.
"""

import argparse
import contextlib
import gc
import importlib
import importlib.util
import io
import json
import multiprocessing
import os
import statistics
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from bootstrap import forget_peak, memory, same, timed
from drawn_boxes import draw_large_set
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from yolox_attn.coco.annotations import Truth, read_truth
from yolox_attn.coco.checks import is_box, is_number
from yolox_attn.coco.evaluate import (
    IOU_THRESHOLDS,
    MAX_DETS,
    Matches,
    best_matcher,
    match,
    match_checked,
    matches_of,
)
from yolox_attn.coco.results import check_detections, read_detections
from yolox_attn.errors import InputError
from yolox_attn.stats.weighted_ap import Engine, compiled_engine, numpy_engine, weighted_ap

Entries = list[dict[str, Any]]
Way = Callable[[Truth, Entries], Matches]
Round = dict[tuple[str, str], Sequence[float]]  # part, way: seconds that passed, CPU seconds
SUMS = {
    "match": ["match"],
    "match and AP": ["match", "AP"],
    "read, match and AP": ["read", "match", "AP"],
}


def match_before(truth: Truth, detections: Entries) -> Matches:
    """Match by records of each image, class and area range, from copies of all detections."""
    boxes = list(renumbered(truth, detections, "the detections"))
    images = [{"id": place} for place in range(len(truth.images))]
    categories = [{"id": place} for place in range(len(truth.class_ids))]
    empty, cocoeval_of = library()
    with contextlib.redirect_stdout(io.StringIO()):
        cocoeval = cocoeval_of(
            *(index(empty(), images, categories, each) for each in (truth.objects, boxes))
        )
        cocoeval.params.iouThrs = np.array(IOU_THRESHOLDS)
        cocoeval.params.maxDets = [MAX_DETS]
        cocoeval.evaluate()
    return matches_of(cocoeval, truth, len(detections) - len(boxes))


def match_and_forget(truth: Truth, detections: Entries) -> Matches:
    """Match as a report does: the detections are dropped as soon as they are checked."""
    checked = check_detections(truth, detections, "the detections")
    detections.clear()
    return match_checked(truth, checked)


def library() -> tuple[Callable[[], Any], Callable[[Any, Any], Any]]:
    """Return an empty COCO and a COCOeval that keeps records, of the matcher that is used now."""
    if best_matcher().name == "pycocotools":
        return COCO, lambda truth, boxes: COCOeval(truth, boxes, "bbox")
    fast: Any = importlib.import_module("ultrafast_pycocotools")
    return (
        lambda: fast.COCO(verbose=False),
        lambda truth, boxes: fast.COCOeval(truth, boxes, "bbox", store_eval_imgs=True),
    )


def renumbered(truth: Truth, detections: Entries, origin: str) -> Iterator[dict[str, Any]]:
    """Check detections one by one and yield copies, with places of `truth` as ids."""
    image_places = {key: place for place, key in enumerate(truth.image_ids)}
    class_places = {key: place for place, key in enumerate(truth.class_ids)}
    for number, entry in enumerate(detections, start=1):
        where = f"{origin}: detection {number}"
        score, box = entry.get("score"), entry.get("bbox")
        image, category = (hashable(entry.get(key)) for key in ("image_id", "category_id"))
        if image not in image_places:
            raise InputError(f"{where}: the truth has no image {image!r}")
        if not is_number(score):
            raise InputError(f"{where}: score is {score!r}, not a finite number")
        if not is_box(box):
            raise InputError(f"{where}: bbox is {box!r}, not four finite numbers")
        if category in class_places:
            yield {
                "image_id": image_places[image],
                "category_id": class_places[category],
                "bbox": [float(side) for side in box],
                "score": score,
                "area": float(box[2]) * float(box[3]),
                "iscrowd": 0,
            }


def hashable(key: object) -> object:
    """Return an id, or the text of what can be none."""
    return key if isinstance(key, int | float | str) else repr(key)


def index(
    empty: Any,
    images: Sequence[dict[str, Any]],
    categories: Sequence[dict[str, Any]],
    annotations: Iterable[dict[str, Any]],
) -> Any:
    """Fill an empty COCO with copies of the annotations, under new ids from 1."""
    empty.dataset = {
        "images": images,
        "categories": categories,
        "annotations": [{**each, "id": n} for n, each in enumerate(annotations, start=1)],
    }
    empty.createIndex()
    return empty


WAYS: dict[str, Way] = {"before": match_before, "now": match}
ALL_WAYS: dict[str, Way] = {**WAYS, "now, the detections dropped": match_and_forget}


def peak_of(way: str, truth_file: Path, file: Path) -> tuple[float, float]:
    """Return the MiB of this process with the detections read, and at most while they are matched.

    The first way to be measured must not leave its memory to the next: one process each.
    """
    truth, detections = read_truth(truth_file), read_detections(file)
    gc.collect()
    forget_peak()
    before = memory("VmRSS")
    ALL_WAYS[way](truth, detections)
    return before, memory("VmHWM")


def one_round(truth: Truth, file: Path, engine: Engine, ways: Sequence[str]) -> Round:
    """Time reading, and matching and AP of the ways in this order."""
    weights = np.ones((1, len(truth.images)), dtype=np.int64)
    *reading, detections = timed(partial(read_detections, file))
    taken: Round = {}
    for way in ways:
        gc.collect()
        *matching, matches = timed(partial(WAYS[way], truth, detections))
        *rating, _ = timed(partial(weighted_ap, matches, weights, engine=engine))
        taken |= {("read", way): reading, ("match", way): matching, ("AP", way): rating}
    return taken


def summarised(rounds: list[Round]) -> dict[str, dict[str, list[float]]]:
    """Return seconds of both ways, and their ratio, in every round."""
    rows = {}
    for name, parts in SUMS.items():
        before, now = (
            np.sum([[taken[part, way] for taken in rounds] for part in parts], axis=0)
            for way in WAYS
        )  # (rounds, 2)
        for number, clock in enumerate(("wall", "CPU")):
            columns = {"before": before, "now": now, "ratio": now / before}
            rows[f"{name}, {clock}"] = {
                key: column[:, number].tolist() for key, column in columns.items()
            }
    return rows


def print_rows(
    rows: dict[str, dict[str, list[float]]], peaks: dict[str, tuple[float, float]]
) -> None:
    """Print both tables."""
    print("\n| one thread | before | now | now / before |")
    print("| --- " * 4 + "|")
    for name, row in rows.items():
        before, now, ratio = map(statistics.median, row.values())
        span = f"{ratio:.3f} [{min(row['ratio']):.3f}..{max(row['ratio']):.3f}]"
        print(f"| {name} | {before:.2f} s | {now:.2f} s | {span} |")
    print("\n| memory while matching | detections read | peak | more |")
    print("| --- " * 4 + "|")
    for way, (before, peak) in peaks.items():
        print(f"| {way} | {before:.0f} MiB | {peak:.0f} MiB | {peak - before:.0f} MiB |")


def main() -> int:
    """Draw, compare, measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--quick", action="store_true", help="300 images")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all rounds there, too")
    args = parser.parse_args()
    os.environ["RAYON_NUM_THREADS"] = "1"  # ultrafast-pycocotools's
    images, classes, boxes = (300, 20, 13_500) if args.quick else (5000, 80, 226_000)
    engine = compiled_engine(1) if importlib.util.find_spec("numba") else numpy_engine(1)
    with tempfile.TemporaryDirectory() as folder:
        files = Path(folder, "truth.json"), Path(folder, "detections.json")
        drawn = draw_large_set(np.random.default_rng(0), images, classes, detections=boxes)
        for file, content in zip(files, drawn, strict=True):
            file.write_text(json.dumps(content))
        del drawn
        truth, detections = read_truth(files[0]), read_detections(files[1])
        before, now = (way(truth, detections) for way in WAYS.values())
        equal = same(before, now)
        print(f"{best_matcher().name}: {len(now)} detections; equal to the last bit: {equal}")
        if not equal:
            return 1
        weighted_ap(now, np.ones((1, images), dtype=np.int64), engine=engine)  # numba compiles
        del before, now, detections
        rounds = [
            one_round(truth, files[1], engine, list(WAYS)[:: 1 if number % 2 else -1])
            for number in range(args.rounds)
        ]
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            peaks = {way: pool.apply(peak_of, (way, *files)) for way in ALL_WAYS}
    rows = summarised(rounds)
    print_rows(rows, peaks)
    if args.json:
        args.json.write_text(json.dumps({"rounds": rows, "memory MiB": peaks}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

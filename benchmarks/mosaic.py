"""What loading costs: mosaic and mixup images a second and core, against YOLOX's own.

    python benchmarks/mosaic.py DATA [--size 320 640] [--experiment yolox-nano yolox-s] [--json F]

Both sides read DATA's training images and augment them with the experiment's settings, mosaic and
mixup in every sample, in one process on one thread, without workers: `ours` is the loader of the
package, `stock` YOLOX's MosaicDetection over its COCODataset with its TrainTransform. After a pass
over the data, in which ours stores its images (how long it takes is said), they take turns, the
first to go changing from round to round; a ratio is taken within each round. `files` is ours with
no image in memory: what is left to a set that is larger. That all three give the same samples, bit
for bit, is checked along the way. Wall time, and the process's CPU time, which other work on the
machine disturbs less.
"""

import argparse
import contextlib
import io
import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = "1"  # before torch and OpenCV start their threads

import cv2
import numpy as np
import torch
from yolox.data import COCODataset, MosaicDetection, TrainTransform

from yolox_attn.exp import AttentionExp, use_data
from yolox_attn.exp.loader import load_exp
from yolox_attn.seed import stream

SIDES = ("ours", "stock", "files")
CLOCKS = {"wall": time.perf_counter, "CPU": time.process_time}


@dataclass(frozen=True)
class Measured:
    """Of one experiment and input size: milliseconds a sample by clock and side, round by round."""

    experiment: str
    size: int
    images: int  # of the training set
    first_pass: float  # CPU milliseconds a sample of ours while it fills its memory
    memory: int  # MiB that the stored images take
    times: dict[str, dict[str, list[float]]]

    def ratios(self, clock: str, side: str) -> list[float]:
        """How many times as fast as YOLOX's a side is, round by round."""
        times = self.times[clock]
        return [stock / own for stock, own in zip(times["stock"], times[side], strict=True)]


def experiment(name: str, folder: Path, size: int) -> AttentionExp:
    """A published size on the data, mosaic and mixup in every sample."""
    exp = load_exp(name=name)
    use_data(exp, folder)
    exp.input_size, exp.data_num_workers = (size, size), 0
    exp.mosaic_prob, exp.mixup_prob, exp.enable_mixup = 1.0, 1.0, True
    return exp


def stock_set(exp: AttentionExp) -> MosaicDetection:
    """YOLOX's own augmented set."""
    with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
        images = COCODataset(exp.data_dir, exp.train_ann, exp.train_name, exp.input_size)
    return MosaicDetection(
        images,
        mosaic=True,
        img_size=exp.input_size,
        preproc=TrainTransform(exp.max_labels, exp.flip_prob, exp.hsv_prob),
        degrees=exp.degrees,
        translate=exp.translate,
        mosaic_scale=exp.mosaic_scale,
        mixup_scale=exp.mixup_scale,
        shear=exp.shear,
        enable_mixup=exp.enable_mixup,
        mosaic_prob=exp.mosaic_prob,
        mixup_prob=exp.mixup_prob,
    )


def augmented_sets(exp: AttentionExp) -> dict[str, Any]:
    """The sides by name."""
    ours, files = (exp.get_data_loader(1, is_distributed=False).dataset.dataset for _ in range(2))
    files._dataset.kept = None
    return {"ours": ours, "stock": stock_set(exp), "files": files}


def load(dataset: Any, numbers: range) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Samples by number: image number % n first, augmented in the number's own stream."""
    for number in numbers:
        with stream(0, "benchmark", number):
            image, labels, *_ = dataset[True, number % len(dataset)]
        yield image, labels


def timed(dataset: Any, numbers: range) -> dict[str, float]:
    """Milliseconds a sample, by clock."""
    before = {name: read() for name, read in CLOCKS.items()}
    for _ in load(dataset, numbers):
        pass
    return {name: 1e3 * (read() - before[name]) / len(numbers) for name, read in CLOCKS.items()}


def check_equal(sets: dict[str, Any], numbers: range) -> None:
    """Refuse to measure sides that differ in a bit."""
    for samples in zip(*(load(dataset, numbers) for dataset in sets.values()), strict=True):
        first = samples[0]
        for other in samples[1:]:
            if not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True)):
                raise SystemExit("the sides differ in pixels or labels")


def measure(name: str, folder: Path, size: int, rounds: int, count: int) -> Measured:
    """Take turns of `count` samples, after a pass over the data."""
    sets = augmented_sets(experiment(name, folder, size))
    source, images = sets["ours"]._dataset, len(sets["ours"])
    first_pass = timed(sets["ours"], range(images))["CPU"]
    check_equal(sets, range(images, images + 20))
    times: dict[str, dict[str, list[float]]] = {c: {s: [] for s in SIDES} for c in CLOCKS}
    for turn in range(rounds):
        numbers = range(turn * count, (turn + 1) * count)
        for side in SIDES if turn % 2 else SIDES[::-1]:
            for clock, value in timed(sets[side], numbers).items():
                times[clock][side].append(value)
    sizes = [resized for _, _, resized, _ in source.annotations[: source.kept.places]]
    memory = sum(3 * height * width for height, width in sizes) >> 20
    return Measured(name, size, images, first_pass, memory, times)


def row(measured: Measured, clock: str) -> str:
    """A row: images a second, and the median ratios with their range."""
    rates = [1e3 / statistics.median(measured.times[clock][side]) for side in SIDES]
    ratios = [measured.ratios(clock, side) for side in ("ours", "files")]
    spreads = [f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios]
    cells = [measured.experiment, str(measured.size), clock, *(f"{r:.1f}" for r in rates), *spreads]
    cells += [f"{1e3 / measured.first_pass:.1f}", f"{measured.memory} MiB"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("data", type=Path, help="a data set, as --data of the commands takes it")
    parser.add_argument("--size", type=int, nargs="+", default=[320, 640])
    parser.add_argument("--experiment", nargs="+", default=["yolox-nano", "yolox-s"])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--samples", type=int, default=32, help="of a side in a round")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every round's times")
    args = parser.parse_args()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    print(f"OpenCV {cv2.__version__}, numpy {np.__version__}, one thread, {args.rounds} rounds of")
    print(f"{args.samples} samples; images a second; times as fast as stock: median (range)\n")
    heads = ["experiment", "size", "clock", *SIDES, "ours / stock", "files / stock"]
    heads += ["ours in the first pass (CPU)", "in memory"]
    print(f"| {' | '.join(heads)} |\n|{' --- |' * len(heads)}")
    results = []
    for name in args.experiment:
        for size in args.size:
            results.append(measure(name, args.data, size, args.rounds, args.samples))
            print("\n".join(row(results[-1], clock) for clock in CLOCKS), flush=True)
    if args.json:
        args.json.write_text(json.dumps([asdict(one) for one in results], indent=1))


if __name__ == "__main__":
    main()

"""How time and memory grow: blocks with their maps, compare with its runs, doctor and loader.

    python benchmarks/growth.py [blocks] [compare] [data] [--json FILE]

A block's step is timed over square maps of 10 to 160 cells and batches of 1 to 8, 64 channels,
float32, channels_last; the others are commands in processes of their own, timed from start to end
with the peak of their memory, on what is drawn or trained for it. The exponent is the slope of
log time over log size by least squares: 1 is in proportion. Of blocks it is taken over maps of 40
cells and more, where the fixed cost of a call does not hide it; of commands over all sizes, with
the time of the smallest one taken off, which is start-up nearly alone.
"""

import argparse
import contextlib
import io
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from yolox_attn.machine import set_wait_policy

set_wait_policy()  # before torch is imported

import numpy as np
import torch
from blocks import kept_bytes, seconds
from pycocotools.coco import COCO
from tabulate import tabulate

from yolox_attn.blocks import create_attention
from yolox_attn.coco.evaluate import evaluate
from yolox_attn.data.drawn import drawn_set

BLOCKS = ("se", "eca", "cam", "cbam", "acmix", "drconv", "attnconv")
CHANNELS, SIDES, BATCHES, ROUNDS = 64, (10, 20, 40, 80, 160), (1, 2, 4, 8), 5
RUNS = (10, 100, 1000)
IMAGES = (100, 1000, 10_000)
WAY_TO_CLI = [sys.executable, "-m", "yolox_attn.cli"]
TINY = ["width", "0.125", "data_num_workers", "0", "max_epoch", "1", "warmup_epochs", "0"]
TINY += ["no_aug_epochs", "0"]


def exponent(sizes: Sequence[float], taken: Sequence[float]) -> float:
    """Return the slope of log `taken` over log `sizes`."""
    return float(np.polyfit(np.log(sizes), np.log(taken), 1)[0])


def block_rows() -> Iterator[dict[str, Any]]:
    """Yield a block's median seconds and kept bytes over maps (batch 1) and batches (40 cells)."""
    for name in BLOCKS:
        torch.manual_seed(0)
        block = create_attention(name, CHANNELS)
        shapes = [(1, side) for side in SIDES] + [(batch, 40) for batch in BATCHES[1:]]
        taken: dict[tuple[int, int], list[float]] = {shape: [] for shape in shapes}
        maps = {
            (batch, side): torch.randn(batch, CHANNELS, side, side).contiguous(
                memory_format=torch.channels_last
            )
            for batch, side in shapes
        }
        for number in range(ROUNDS + 1):
            for shape, x in maps.items():
                spent = seconds(block, x, torch.randn_like(x))
                if number:  # the first round warms up
                    taken[shape].append(spent)
        kept = {s: kept_bytes(block, x.detach().requires_grad_(), [block]) for s, x in maps.items()}
        yield {
            "block": name,
            "seconds": {f"{b}x{s}": statistics.median(taken[b, s]) for b, s in shapes},
            "kept": {f"{b}x{s}": kept[b, s] for b, s in shapes},
        }


def block_cells(row: dict[str, Any]) -> list[str]:
    """Return a line of the table."""
    cells = [row["block"]]
    large = [side for side in SIDES if side >= 40]
    for what, unit in (("seconds", 1e3), ("kept", 2**-20)):
        values = row[what]
        cells += [f"{unit * values[f'1x{side}']:.2f}" for side in SIDES]
        cells.append(f"{exponent([s * s for s in large], [values[f'1x{s}'] for s in large]):.2f}")
        cells.append(f"{exponent(BATCHES, [values[f'{batch}x40'] for batch in BATCHES]):.2f}")
    return cells


def command(*words: object) -> tuple[float, int]:
    """Run a command; return its seconds and the most bytes it held."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [*WAY_TO_CLI, *map(str, words)], stdout=log, stderr=log, env=environment
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            log.seek(0)
            raise SystemExit(f"{words}: {log.read().decode()[-2000:]}")
    scale = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, scale * used.ru_maxrss


def size_words(side: int) -> list[str]:
    """Return the overrides for images of one size, in training too."""
    both = f"{side},{side}"
    return ["input_size", both, "test_size", both, "random_size", f"{side // 32},{side // 32}"]


def trained_run(place: Path, data: Path, attention: str) -> Path:
    """Return the folder of a real run, an epoch of the smallest detector."""
    words = ["train", "-n", "yolox-nano", "--data", data, "-b", 4, "--seed", 0]
    words += ["-expn", attention, "-l", "none", "--device", "cpu", "attention", attention]
    command(*words, "output_dir", place, *TINY, *size_words(64))
    return place / attention


def many_runs(real: Path, place: Path, truth: Path, seeds: int) -> None:
    """Leave folders of runs like the real one, of other seeds, each with detections of its own.

    Those are the true boxes, shifted, each with a drawn score: an epoch's detector finds nothing.
    """
    record = json.loads((real / "run.json").read_text())
    objects = json.loads(truth.read_text())["annotations"]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(truth)
    for seed in range(seeds):
        folder = place / real.name / f"seed{seed}"
        folder.mkdir(parents=True)
        rng = np.random.default_rng([seed, len(real.name)])
        found = [
            {
                "image_id": each["image_id"],
                "category_id": each["category_id"],
                "bbox": [float(v) for v in np.abs(each["bbox"] + rng.normal(0, 2, 4)) + 1],
                "score": float(rng.random()),
            }
            for each in objects
        ]
        (folder / "detections.json").write_text(json.dumps(found))
        values = {**record, "seed": seed, "run_id": f"{real.name}-{seed}"}
        values["metrics"] = evaluate(coco, found).metrics
        (folder / "run.json").write_text(json.dumps(values))
        (folder / "metrics.jsonl").write_bytes((real / "metrics.jsonl").read_bytes())


def compare_rows(place: Path) -> Iterator[dict[str, Any]]:
    """Yield what `compare` takes for more and more runs of two variants, first and again."""
    data = drawn_set(place, train_images=16, val_images=40, size=64)
    reals = [trained_run(place / "real", data, name) for name in ("none", "se")]
    for number in RUNS:
        for real in reals:
            truth = data / "annotations" / "instances_val2017.json"
            many_runs(real, place / str(number), truth, number // 2)
        os.environ["YOLOX_ATTN_CACHE"] = str(place / f"cache{number}")
        for which in ("compare, first", "compare, again"):
            words = ["--baseline", "none", "--output", place / f"{which}{number}"]
            spent, held = command("compare", place / str(number), *words)
            judged = json.loads((place / f"{which}{number}" / "comparison.json").read_text())
            if judged["dropped"]:
                raise SystemExit(f"{number} runs: not all were judged")
            yield {"what": which, "size": number, "seconds": spent, "bytes": held}


def data_rows(place: Path) -> Iterator[dict[str, Any]]:
    """Yield what the doctor takes for more and more images, and a pass of the loader."""
    for number in IMAGES:
        data = drawn_set(place, train_images=number, val_images=5, size=64)
        spent, held = command("doctor", "--data", data, "-o", place / "doctor")
        yield {"what": "doctor", "size": number, "seconds": spent, "bytes": held}
        words = ["train", "-n", "yolox-nano", "--data", data, "-b", 50, "--seed", 0]
        words += ["--skip-doctor", "-l", "none", "--device", "cpu", "-expn", str(number)]
        spent, held = command(*words, "output_dir", place / "runs", *TINY, *size_words(32))
        yield {"what": "an epoch, loaded and trained", "size": number, "seconds": spent,
               "bytes": held}  # fmt: skip


def command_lines(rows: Sequence[dict[str, Any]]) -> list[list[str]]:
    """Return a line for each command and size, with the exponent after its last."""
    lines = []
    for what in dict.fromkeys(row["what"] for row in rows):
        own = [row for row in rows if row["what"] == what]
        beyond = [row["seconds"] - own[0]["seconds"] for row in own[1:]]
        slope = math.nan
        if len(beyond) > 1 and min(beyond) > 0:
            slope = exponent([row["size"] for row in own[1:]], beyond)
        for row in own:
            last = f"{slope:.2f}" if row is own[-1] and not math.isnan(slope) else ""
            lines.append([what, f"{row['size']:,}", f"{row['seconds']:.1f}",
                          f"{row['bytes'] / 2**20:.0f}", last])  # fmt: skip
    return lines


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parts = ("blocks", "compare", "data")
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(parts)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same, as JSON")
    args = parser.parse_args()
    if wrong := set(args.parts) - set(parts):
        parser.error(f"{', '.join(sorted(wrong))}: parts are {', '.join(parts)}")
    chosen = args.parts or parts
    found: dict[str, list[dict[str, Any]]] = {}
    if "blocks" in chosen:
        heads = ["block", *(f"{s}x{s}, ms" for s in SIDES), "exponent, cells", "exponent, batch"]
        heads += [*(f"{s}x{s}, MiB" for s in SIDES), "exponent, cells", "exponent, batch"]
        found["blocks"] = list(block_rows())
        print(tabulate(map(block_cells, found["blocks"]), heads, tablefmt="pipe") + "\n")
    with tempfile.TemporaryDirectory() as scratch:
        for part, rows in (("compare", compare_rows), ("data", data_rows)):
            if part not in chosen:
                continue
            found[part] = list(rows(Path(scratch, part)))
            heads = ["what", "size", "seconds", "peak, MiB", "exponent"]
            print(tabulate(command_lines(found[part]), heads, tablefmt="pipe") + "\n", flush=True)
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"peak of this process {own / 2**10:.0f} MiB")
    if args.json:
        args.json.write_text(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

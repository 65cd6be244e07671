"""Which settings of a short fine-tuning tell two detectors apart for the least computing time?

    python benchmarks/recipes.py DATA WEIGHTS OUT [--cells NAME ...] [--seeds 8] [--first 100]

Trains yolox-nano without attention and with `cam` (identity start) from WEIGHTS on DATA at 320
pixels, over the same seeds, with each cell's settings, and prints what a study pays for: s_D, the
SD over seeds of the paired difference in AP, squared, times the CPU minutes of a run, the first
cell's being 1. Half of that is half the computing time for the same standard error. Beside it the
same with the mean AP of the last two epochs as the outcome. With `--sides none` the baseline alone
is trained, and s_D is taken as sqrt(2) s. Runs that OUT holds are not repeated. The best of many
cells looks better than it is: judge it on seeds of its own (--first).
"""

import argparse
import json
import os
import resource
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from tabulate import tabulate

from yolox_attn.cli import train
from yolox_attn.runs import read_metrics, read_record

SIZES = ("input_size", "(320, 320)", "test_size", "(320, 320)", "random_size", "(8, 15)")
DEFAULT = ("max_epoch", "3", "warmup_epochs", "1", "no_aug_epochs", "1", *SIZES)
EMA = ("ema_decay", "0.98", "ema_tau", "30")
FROZEN = ("freeze", "backbone.backbone.stem,backbone.backbone.dark2,backbone.backbone.dark3")
ONE_SIZE = ("multiscale", "False")


def rate(factor: float) -> tuple[str, str]:
    """Return the setting of so many times YOLOX's learning rate."""
    return "basic_lr_per_img", str(factor * 0.01 / 64)


CELLS: dict[str, tuple[str, ...]] = {  # name -> settings besides the default's
    "default": (),
    "default, 10 epochs": ("max_epoch", "10"),
    "lr x 4": rate(4),
    "lr x 10": rate(10),
    "lr x 4, ema": (*rate(4), *EMA),
    "lr x 4, frozen to dark3": (*rate(4), *FROZEN),
    "lr x 4, one size": (*rate(4), *ONE_SIZE),
    "lr x 4, all three": (*rate(4), *EMA, *FROZEN, *ONE_SIZE),
    "lr x 4, frozen, one size": (*rate(4), *FROZEN, *ONE_SIZE),
    "lr x 8, all three": (*rate(8), *EMA, *FROZEN, *ONE_SIZE),
    "lr x 4, all three, 6 epochs": (*rate(4), *EMA, *FROZEN, *ONE_SIZE, "max_epoch", "6"),
    "lr x 8, all three, 6 epochs": (*rate(8), *EMA, *FROZEN, *ONE_SIZE, "max_epoch", "6"),
    # What became --recipe finetune.
    "lr x 8, all three, 10 epochs": (*rate(8), *EMA, *FROZEN, *ONE_SIZE, "max_epoch", "10"),
}
SIDES = {"none": "yolox-nano", "cam": "yolox-nano-cam"}
COST = "cpu_seconds.json"
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Job:
    """A training: a cell, a side, a seed, and where things lie."""

    cell: str
    side: str
    seed: int
    data: str
    weights: str
    out: Path

    @property
    def folder(self) -> Path:
        """Where the run lies."""
        cell = "_".join(self.cell.replace("/", "by").replace(",", "").split())
        return self.out / cell / self.side / f"seed{self.seed}"


def make(job: Job) -> str:
    """Train, unless it is done, and keep what CPU time it took; return a line that says so."""
    if not (job.folder / COST).is_file():
        before = cpu_seconds()
        settings = dict(zip(*[iter(DEFAULT + CELLS[job.cell])] * 2, strict=True))
        settings["attention_init"] = "identity"
        settings["output_dir"] = str(job.folder.parent)
        words = [word for pair in settings.items() for word in pair]
        flags = ["-n", SIDES[job.side], "-c", job.weights, "--data", job.data]
        flags += ["-expn", job.folder.name, "--seed", str(job.seed), "--device", "cpu"]
        if code := train.main([*flags, "--overwrite", "--skip-doctor", *words]):
            raise SystemExit(code)
        (job.folder / COST).write_text(json.dumps(cpu_seconds() - before))
    return f"{job.cell}, {job.side}, seed {job.seed}: AP {100 * outcomes(job)[0]:.2f}"


def cpu_seconds() -> float:
    """Return what this process and its ended children have computed; load does not change it."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def outcomes(job: Job) -> tuple[float, float]:
    """Return the last AP, and the mean of the last two epochs'."""
    aps = [row["AP"] for row in read_metrics(job.folder) if row.get("AP") is not None]
    if len(aps) < 2 or read_record(job.folder).state != "finished":
        raise SystemExit(f"{job.folder}: not finished, or one evaluation alone")
    return aps[-1], float(np.mean(aps[-2:]))


@dataclass(frozen=True)
class Cell:
    """What the runs of a cell say.

    Args:
        aps: (seeds,) of the baseline, AP points.
        differences: of the pairs, AP points; empty where the baseline alone was trained.
        minutes: of CPU time a run takes.
    """

    name: str
    aps: Floats
    differences: Floats
    minutes: float

    @property
    def noise(self) -> float:
        """SD of a pair's difference; from the baseline alone sqrt(2) of its SD."""
        if len(self.differences) > 1:
            return float(self.differences.std(ddof=1))
        return float(np.sqrt(2) * self.aps.std(ddof=1))

    @property
    def price(self) -> float:
        """s_D^2 times minutes: what a standard error costs."""
        return self.noise**2 * self.minutes

    def row(self, first: "Cell", last_two: "Cell") -> list[str]:
        """Return the cell's line of the table; `last_two` has the mean of two epochs' APs."""
        spread, alike = "-", "-"
        if len(self.differences) > 1:
            degrees = len(self.differences) - 1
            low, high = (
                self.noise * np.sqrt(degrees / stats.chi2.ppf(p, degrees)) for p in (0.975, 0.025)
            )
            spread = f"{self.noise:.2f} ({low:.2f} to {high:.2f})"
            alike = f"{np.corrcoef(self.aps, self.aps + self.differences)[0, 1]:.2f}"
        return [
            self.name,
            str(len(self.aps)),
            f"{self.aps.mean():.2f} ± {stats.sem(self.aps):.2f}",
            f"{self.aps.std(ddof=1):.2f}",
            spread,
            alike,
            f"{self.minutes:.2f}",
            f"{self.price / first.price:.3f}",
            f"{last_two.price / first.price:.3f}",
        ]


def table(cells: Sequence[str], seeds: Sequence[int], base: Job) -> str:
    """Return the noise and the price of all cells with two runs and more, the first's price 1."""
    read = [[read_cell(cell, seeds, base, k) for k in (0, 1)] for cell in cells]
    pairs = [(last, mean) for last, mean in read if last is not None and mean is not None]
    rows = [last.row(pairs[0][0], mean) for last, mean in pairs]
    heads = ["settings", "seeds", "AP, baseline", "s", "s_D (95 %)", "correlation", "CPU min"]
    heads += ["s_D² x min", "last two"]
    return tabulate(rows, heads, tablefmt="pipe", disable_numparse=True)


def read_cell(name: str, seeds: Sequence[int], base: Job, outcome: int) -> Cell | None:
    """Return what OUT holds of a cell; None of fewer than two runs of the baseline."""
    done: dict[str, dict[int, Job]] = {side: {} for side in SIDES}
    for side, seed in product(SIDES, seeds):
        job = replace(base, cell=name, side=side, seed=seed)
        if (job.folder / COST).is_file():
            done[side][seed] = job
    if len(done["none"]) < 2:
        return None
    aps = {side: {seed: 100 * outcomes(job)[outcome] for seed, job in jobs.items()}
           for side, jobs in done.items()}  # fmt: skip
    both = sorted(aps["none"].keys() & aps["cam"].keys())
    costs = [json.loads((job.folder / COST).read_text()) for job in done["none"].values()]
    return Cell(
        name,
        np.array([aps["none"][seed] for seed in both or sorted(aps["none"])]),
        np.array([aps["cam"][seed] - aps["none"][seed] for seed in both]),
        float(np.median(costs)) / 60,
    )


def main() -> int:
    """Train what is missing, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("weights")
    parser.add_argument("out", type=Path)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS), metavar="NAME")
    parser.add_argument("--seeds", type=int, default=8, metavar="N")
    parser.add_argument("--first", type=int, default=100, metavar="SEED")
    parser.add_argument("--sides", nargs="+", choices=SIDES, default=list(SIDES), metavar="NAME")
    parser.add_argument("--parallel", type=int, default=2, metavar="N", help="runs at a time")
    parser.add_argument("--report", action="store_true", help="train nothing: what OUT holds")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    seeds = range(args.first, args.first + args.seeds)
    base = Job("", "", 0, args.data, args.weights, args.out)
    jobs = [
        replace(base, cell=cell, side=side, seed=seed)
        for seed, cell, side in product(seeds, args.cells, args.sides)
    ]
    if args.report:
        print(table(args.cells, seeds, base))
        return 0
    with ProcessPoolExecutor(args.parallel, get_context("spawn")) as pool:
        for line in pool.map(make, jobs):
            print(line, flush=True)
    print(f"\n{len(seeds)} seeds from {args.first} on\n")
    print(table(args.cells, seeds, base))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

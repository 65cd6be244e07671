"""A real training run in a process of its own, killed at moments that are waited for."""

import json
import os
import random
import re
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import forked
import psutil
import torch

from yolox_attn.cli.train import main

EPOCHS, STEPS = 4, 6  # 24 images, two a batch, two batches a step
SWITCH = 2  # epochs with mosaic: YOLOX closes it one epoch before the last no_aug_epochs
STEP = re.compile(r"epoch: (\d+)/\d+, iter: (\d+)/\d+")
KINDS = ("step", "saving", "switch", "evaluation")


def processes_of(folder: Path) -> list[psutil.Process]:
    """Find the other processes that work in a study: its own, and those of its runs."""
    return [
        each
        for each in psutil.process_iter(["cmdline"])
        if str(folder) in " ".join(each.info["cmdline"] or []) and each.pid != os.getpid()
    ]


@dataclass
class Worker:
    """One process of a run: its log from its own first line on."""

    process: BaseProcess
    log: Path
    skipped: int  # bytes of the log that older processes wrote
    folder: Path

    def text(self) -> str:
        """What it has logged so far; the last character may be half written."""
        if not self.log.exists():
            return ""
        return self.log.read_bytes()[self.skipped :].decode(errors="replace")

    def output(self) -> str:
        """The end of what all processes of the run have printed."""
        return (self.folder.parent / "output.txt").read_text()[-3000:]

    def steps(self) -> list[tuple[int, int]]:
        """(epoch, step), from 1, of every step done."""
        return [(int(epoch), int(step)) for epoch, step in STEP.findall(self.text())]


def command(data: Path, out: Path, workers: int, *flags: str) -> list[str]:
    """What follows `train`: small, with mosaic, mixup, multi-scale, EMA and accumulation."""
    settings = {
        "max_epoch": EPOCHS, "warmup_epochs": 1, "no_aug_epochs": 1, "eval_interval": 1,
        "print_interval": 1, "input_size": "64,64", "test_size": "64,64", "random_size": "1,3",
        "enable_mixup": True, "data_num_workers": workers, "output_dir": out,
    }  # fmt: skip
    words = ["-n", "yolox-nano-cam", "-expn", "run", "--data", str(data), "-b", "2"]
    words += ["--accumulate", "2", "--seed", "3", "--device", "cpu", "--save-steps", "4", *flags]
    return [*words, *(str(word) for pair in settings.items() for word in pair)]


def start(
    data: Path, out: Path, workers: int, *flags: str, train: Callable[..., int] = main
) -> Worker:
    folder = out / "run"
    log = folder / "train_log.txt"
    skipped = log.stat().st_size if log.exists() else 0
    process = forked.start(out / "output.txt", train, command(data, out, workers, *flags))
    return Worker(process, log, skipped, folder)


def unread(argv: list[str]) -> int:
    """Train while nobody reads what is said: as behind `| tee log` when Ctrl-C has ended tee."""
    reader, writer = os.pipe()
    os.close(reader)
    for number in (1, 2):
        os.dup2(writer, number)
    with os.fdopen(writer, "w", buffering=1) as nobody:
        sys.stdout = sys.stderr = nobody
        return main(argv)


def finish(worker: Worker) -> None:
    assert forked.ended(worker.process) == 0, worker.output()


def kill_when(worker: Worker, ready: Callable[[], bool], delay: float) -> bool:
    """SIGKILL the process and its loaders `delay` seconds after `ready`; False if it ended."""
    while not ready():
        if worker.process.exitcode is not None:
            finish(worker)
            return False
        time.sleep(0.0005)
    time.sleep(delay)
    os.killpg(worker.process.pid, signal.SIGKILL)
    forked.ended(worker.process)
    return True


def at_step(worker: Worker, epoch: int, step: int) -> Callable[[], bool]:
    return lambda: any(done >= (epoch, step) for done in worker.steps())


def while_saving(worker: Worker, epoch: int) -> Callable[[], bool]:
    """A checkpoint's temporary file is there, in `epoch` or later."""
    reached = at_step(worker, epoch, 1)

    def ready() -> bool:
        return reached() and any(
            "ckpt" in entry.name and entry.name.endswith(".tmp")
            for entry in os.scandir(worker.folder)
        )

    return ready


def while_evaluating(worker: Worker, epoch: int) -> Callable[[], bool]:
    return lambda: f"epoch {epoch}/{EPOCHS}: mean loss" in worker.text()


def moment(worker: Worker, kind: str, rng: random.Random) -> tuple[Callable[[], bool], float, str]:
    """Return what to wait for, for how long after it (seconds), and the same in words."""
    if kind == "step":
        epoch, step = 1, rng.randint(1, STEPS - 1)
        return at_step(worker, epoch, step), rng.uniform(0, 0.3), f"after step {step} of {epoch}"
    if kind == "saving":
        epoch = rng.randint(1, 2)
        return (
            while_saving(worker, epoch),
            rng.uniform(0, 0.01),
            f"saving in epoch {epoch} or later",
        )
    if kind == "switch":
        offset = rng.randint(-5, 4)  # steps to the first one without mosaic
        epoch, step = (SWITCH, STEPS + offset) if offset < 0 else (SWITCH + 1, offset + 1)
        return at_step(worker, epoch, step), rng.uniform(0, 0.1), f"step {step} of {epoch}"
    epoch = rng.randint(SWITCH + 1, EPOCHS)
    return while_evaluating(worker, epoch), rng.uniform(0, 0.1), f"evaluation of epoch {epoch}"


def kill_again_and_again(
    data: Path, out: Path, workers: int, kinds: tuple[str, ...], rng: random.Random
) -> list[str]:
    """Run to the end through one kill of each of `kinds`; return what was hit, in words."""
    hits = []
    worker = start(data, out, workers)
    for kind in kinds:
        ready, delay, words = moment(worker, kind, rng)
        if not kill_when(worker, ready, delay):
            break
        hit = where(worker)
        hits.append(f"{kind}: {words} + {1000 * delay:.1f} ms, was {hit}")
        saved = list(worker.folder.glob("latest_ckpt.pth"))
        worker = start(data, out, workers, *(["--resume"] if saved else []))
    finish(worker)
    return hits


def where(worker: Worker) -> str:
    """Say what a killed process was doing, by what it left."""
    text, steps = worker.text(), worker.steps()
    last = text.strip().splitlines()[-1] if text.strip() else ""
    place = f"after step {steps[-1]}" if steps else "before its first step"
    if any(entry.name.endswith(".tmp") for entry in os.scandir(worker.folder)):
        return f"saving {place}"
    return f"evaluating {place}" if "mean loss" in last else place


def outcome(folder: Path) -> dict[str, Any]:
    """Everything that must not differ: weights, EMA, optimiser, losses, metrics, detections."""
    state = torch.load(folder / "latest_ckpt.pth", weights_only=True)
    best = torch.load(folder / "best_ckpt.pth", weights_only=True)
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    for row in rows:
        row.pop("train_seconds")
    record = json.loads((folder / "run.json").read_text())
    keys = ("model", "weights", "optimizer", "ema_updates", "best_ap", "start_epoch", "input_size")
    values: dict[str, Any] = {key: state[key] for key in keys}
    values["random"] = state["ranks"]
    values["best"] = best["model"]
    values["rows"] = rows
    values["record"] = {key: record[key] for key in ("metrics", "class_ap", "best_ap", "state")}
    values["detections"] = (folder / "detections.json").read_text()
    return values


def differing(ours: Any, theirs: Any, name: str = "") -> list[str]:
    """Name every value that is not equal to the last bit."""
    if isinstance(ours, torch.Tensor):
        return [] if torch.equal(ours, theirs) else [name]
    if isinstance(ours, dict) and ours.keys() == theirs.keys():
        return [d for key in ours for d in differing(ours[key], theirs[key], f"{name}/{key}")]
    if isinstance(ours, (list, tuple)) and len(ours) == len(theirs):
        pairs = enumerate(zip(ours, theirs, strict=True))
        return [d for k, (a, b) in pairs for d in differing(a, b, f"{name}/{k}")]
    return [] if ours == theirs else [f"{name}: {str(ours)[:60]} / {str(theirs)[:60]}"]

"""How long a command takes to answer, and a training to take its first step.

    python benchmarks/startup.py DATA [--rounds 7] [--json FILE]

Answers that need no torch (help, a wrong flag, a file that is not there) of every command, each in
a fresh process, next to one that only imports torch and YOLOX; all take turns. Then the first step
of yolox-nano at 320 on DATA, batches of 8, part by part, in processes of their own.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

from tabulate import tabulate

ANSWERS = {
    "train --help": ["train", "--help"],
    "train -f gone.py": ["train", "-f", "gone.py"],
    "train, a wrong flag": ["train", "--sed", "1"],
    "eval gone": ["eval", "gone"],
    "detect gone.jpg": ["detect", "gone.jpg", "-c", "gone"],
    "export --help": ["export", "--help"],
    "compare gone": ["compare", "gone"],
    "study plan --help": ["study", "plan", "--help"],
    "study report gone": ["study", "report", "gone"],
    "doctor --data gone": ["doctor", "--data", "gone"],
    "convert gone": ["convert", "gone", "-o", "out"],
    "fetch_weights --help": ["fetch_weights", "--help"],
    "demo --help": ["demo", "--help"],
}
IMPORTS = "import torch, yolox.exp"
FIRST_STEP = """
import sys, time
from yolox_attn.machine import set_wait_policy
set_wait_policy()
start = time.perf_counter()
import torch, yolox.exp
marks = [("import torch, yolox", time.perf_counter() - start)]
def mark(part):
    marks.append((part, time.perf_counter() - start))
from yolox_attn.cli import train
import yolox_attn.commands.train
from yolox_attn.core import AttentionTrainer
mark("import the rest")
def marked(name, part):
    method = getattr(AttentionTrainer, name)
    def call(self, *args, **options):
        result = method(self, *args, **options)
        mark(part)
        if name == "after_iter":
            print(*(f"{part}={seconds}" for part, seconds in marks), sep=";", flush=True)
            os._exit(0)
        return result
    setattr(AttentionTrainer, name, call)
marked("before_train", "check, build, examine the data")
marked("after_iter", "load and train a batch")
train.main(sys.argv[1:])
"""


def seconds(words: list[str], folder: str) -> float:
    """Time a process; what it says is thrown away."""
    start = time.perf_counter()
    subprocess.run(words, capture_output=True, check=False, cwd=folder)
    return time.perf_counter() - start


def answers(rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each answer in each round; a first round warms up."""
    times: dict[str, list[float]] = defaultdict(list)
    commands = {name: [sys.executable, "-m", "yolox_attn.cli", *w] for name, w in ANSWERS.items()}
    commands[IMPORTS] = [sys.executable, "-c", IMPORTS]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for name in list(commands) if number % 2 else list(commands)[::-1]:
                taken = seconds(commands[name], folder)
                if number:
                    times[name].append(taken)
    return dict(times)


def first_steps(data: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each part of the way to the end of the first step."""
    parts: dict[str, list[float]] = defaultdict(list)
    words = ["-n", "yolox-nano", "--size", "320", "--seed", "0", "-l", "none", "--overwrite"]
    words += ["--data", str(data.resolve()), "max_epoch", "1", "warmup_epochs", "0"]
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds):
            command = [sys.executable, "-c", FIRST_STEP, *words, "no_aug_epochs", "0"]
            ended = subprocess.run(
                command, capture_output=True, text=True, check=True, cwd=folder,
                env=os.environ | {"OMP_NUM_THREADS": "1"},
            )  # fmt: skip
            before = 0.0
            for mark in ended.stdout.strip().splitlines()[-1].split(";"):
                part, until = mark.split("=")
                parts[part].append(float(until) - before)
                before = float(until)
    return dict(parts)


def shown(times: dict[str, list[float]]) -> str:
    """Return a table: median and range."""
    rows = [
        [name, f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"]
        for name, each in times.items()
    ]
    return tabulate(rows, ["", "seconds"], tablefmt="pipe", disable_numparse=True)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all rounds there")
    args = parser.parse_args()
    times = {"answers": answers(args.rounds), "first step": first_steps(args.data, args.rounds)}
    print(shown(times["answers"]), shown(times["first step"]), sep="\n\n")
    beyond = [sum(row[1:]) for row in zip(*times["first step"].values(), strict=True)]
    print(f"\nbeyond `import torch, yolox`: {statistics.median(beyond):.2f} s")
    if args.json is not None:
        args.json.write_text(json.dumps(times), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""`demo`: train a baseline and attention variants on the drawn set, and put them side by side."""

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.commands.common import prepare_process
from yolox_attn.console import echo
from yolox_attn.data.drawn import drawn_set
from yolox_attn.errors import InputError
from yolox_attn.exp import DemoExp

SIZE = 128  # of its images: nine short runs on small ones say more than three long ones
# The demo's convolutions are small: with two threads a run took half as long again as with one.
THREADS = {"OMP_NUM_THREADS": "1"}


def train_all(args: argparse.Namespace) -> tuple[int, list[str]]:
    """Train every variant with every seed, each in its own process.

    Returns the exit code of the first that failed or 0, and the folders of the runs.

    Raises:
        InputError: the zoo has no such block.
    """
    names = experiment_names(args.blocks)
    prepare_process()
    echo(f"demo: data: {drawn_set()}", err=True)
    runs = [(name, seed) for seed in range(args.seeds) for name in names]
    commands = {f"{name}/seed{seed}": train_command(name, seed, args) for name, seed in runs}
    echo(
        f"demo: {len(runs)} runs, {min(args.jobs, len(runs))} at a time: {', '.join(commands)}",
        err=True,
    )
    folders = [str(Path(args.output_dir, label.replace("-", "_"))) for label in commands]
    return run_all(commands, args.jobs), folders


def experiment_names(blocks: list[str]) -> list[str]:
    """Return the baseline's experiment name and that of every block.

    Raises:
        InputError: a block that the zoo does not have.
    """
    known = sorted(ATTENTIONS.keys() - {"none"})
    for block in blocks:
        if block not in known:
            raise InputError(f"unknown block {block!r}; known: {', '.join(known)}")
    return ["yolox-demo", *(f"yolox-demo-{block}" for block in blocks)]


def train_command(name: str, seed: int, args: argparse.Namespace) -> list[str]:
    """Return the command line of one run: every variant has the same schedule."""
    command = [sys.executable, "-m", "yolox_attn.cli", "train", "-n", name, "--seed", str(seed)]
    command += ["--size", str(SIZE)]
    command += ["--overwrite"]  # the demo's runs are its own, and are made anew each time
    usual = DemoExp()
    schedule = {
        "max_epoch": args.epochs,
        "warmup_epochs": min(usual.warmup_epochs, args.epochs // 2),
        "no_aug_epochs": min(usual.no_aug_epochs, args.epochs // 4),
        "eval_interval": max(args.epochs // 2, 1),
        "output_dir": args.output_dir,
    }
    overrides = [str(word) for pair in schedule.items() for word in pair]
    return [*command, "--device", args.device, *overrides]


def run_all(commands: dict[str, list[str]], jobs: int) -> int:
    """Run labelled commands, `jobs` at a time; the first that fails ends the others.

    Returns 0, or the exit code of the one that failed (1 if a signal ended it).
    """
    running: list[subprocess.Popen[str]] = []
    with ThreadPoolExecutor(jobs) as pool:
        follow = {pool.submit(run_one, *item, running): item[0] for item in commands.items()}
        try:
            for future in as_completed(follow):
                if code := future.result():
                    echo(f"demo: {follow[future]} failed with exit code {code}", err=True)
                    return max(code, 1)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in running:
                process.terminate()  # does nothing to one that has ended
    return 0


def run_one(label: str, command: list[str], running: list[subprocess.Popen[str]]) -> int:
    """Run a command and pass on what it says, each line with its label; returns its exit code."""
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=THREADS | os.environ
    ) as process:
        running.append(process)
        for line in process.stdout or ():
            echo(f"{label} | {line.rstrip()}", err=True)
    return process.returncode

"""`demo`: train a baseline and attention variants on the drawn set, and put them side by side."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import pairwise
from pathlib import Path

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.cli import compare, report_errors
from yolox_attn.cli.common import prepare_process
from yolox_attn.console import called_as, echo, outliving_readers
from yolox_attn.data.drawn import drawn_set
from yolox_attn.errors import InputError
from yolox_attn.exp import DemoExp
from yolox_attn.machine import usable_cores

VARIANTS = ("cam", "eca")
YOLOX_DEMO = ("image", "video", "webcam")  # the first word of YOLOX's own tools/demo.py
# Nine short runs on smaller images say more than three long ones: one seed gives no verdict.
SEEDS, EPOCHS, SIZE = 3, 4, 128
# The demo's convolutions are small: with two threads a run took half as long again as with one.
THREADS = {"OMP_NUM_THREADS": "1"}


@report_errors
@outliving_readers()
def main(argv: list[str] | None = None) -> int:
    """Train every variant with every seed, each in its own process; returns the exit code."""
    refuse_pictures(sys.argv[1:] if argv is None else argv)
    args = make_parser().parse_args(argv)
    for option in ("seeds", "epochs", "jobs"):
        if getattr(args, option) < 1:
            raise InputError(f"--{option} {getattr(args, option)}: at least 1")
    names = experiment_names(args.blocks)
    prepare_process()
    echo(f"demo: data: {drawn_set()}", err=True)
    runs = [(name, seed) for seed in range(args.seeds) for name in names]
    commands = {f"{name}/seed{seed}": train_command(name, seed, args) for name, seed in runs}
    echo(
        f"demo: {len(runs)} runs, {min(args.jobs, len(runs))} at a time: {', '.join(commands)}",
        err=True,
    )
    if code := run_all(commands, args.jobs):
        return code
    root = Path(args.output_dir)
    folders = [str(root / label.replace("-", "_")) for label in commands]
    code = compare.main([*folders, "-o", str(root / "demo"), "--device", args.device])
    if not code:
        echo("\n".join(next_lines(root / "demo" / "comparison.html")))
    return code


def refuse_pictures(words: Sequence[str]) -> None:
    """Answer YOLOX's `demo.py image --path PATH ...` with the line that does it here.

    Raises:
        InputError: the words are those of YOLOX's tool.
    """
    if words[:1] and words[0] in YOLOX_DEMO:
        given = dict(pairwise(words))
        source = "camera:0" if words[0] == "webcam" else given.get("--path", "PATH")
        line = shlex.join([source, "-c", "RUN_FOLDER"])
        raise InputError(
            f"demo {words[0]}: this demo trains and compares; pictures and video: "
            f"{called_as('detect')} {line}"
        )


def next_lines(page: Path) -> list[str]:
    """Say where the page lies, and what to type for data of one's own."""
    study = f"{called_as('study')} {{}} studies/mine"
    return [
        f"the page: {page}",
        "your own data, DATA in COCO's layout, Pascal VOC, YOLO or a Roboflow export:",
        f"  {called_as('doctor')} --data DATA",
        f"  {study.format('plan')} --baseline yolox-nano --variants cam eca --controls placebo"
        " --seeds 5 --data DATA",
        f"  {study.format('run')}",
        f"  {study.format('report')}",
    ]


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    defaults = DemoExp()
    cores = usable_cores()
    parser = argparse.ArgumentParser(prog="demo", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("blocks", nargs="*", metavar="BLOCK", help=f"variants (default {' '.join(VARIANTS)})")
    add("--seeds", type=int, default=SEEDS, metavar="N", help=f"runs a variant (default {SEEDS})")
    add("--epochs", type=int, default=EPOCHS, metavar="N", help=f"epochs a run (default {EPOCHS})")
    add("--jobs", type=int, default=cores, metavar="N", help="runs at a time (default: one a core)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add("--output-dir", default=defaults.output_dir, metavar="DIR", help="where runs are kept")
    return parser


def experiment_names(blocks: list[str]) -> list[str]:
    """Return the baseline's experiment name and that of every block.

    Raises:
        InputError: a block that the zoo does not have.
    """
    known = sorted(ATTENTIONS.keys() - {"none"})
    for block in blocks:
        if block not in known:
            raise InputError(f"unknown block {block!r}; known: {', '.join(known)}")
    return ["yolox-demo", *(f"yolox-demo-{block}" for block in blocks or VARIANTS)]


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

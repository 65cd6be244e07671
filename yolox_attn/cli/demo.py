"""`demo`: train a baseline and attention variants on the drawn set, and put them side by side."""

import argparse
import subprocess
import sys
from pathlib import Path

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.cli import compare, report_errors
from yolox_attn.data.drawn import drawn_set
from yolox_attn.errors import InputError
from yolox_attn.exp.demo import DemoExp

VARIANTS = ("cam", "eca")


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Train every variant with every seed, each in its own process; returns the exit code."""
    args = make_parser().parse_args(argv)
    for option, number in (("--seeds", args.seeds), ("--epochs", args.epochs)):
        if number < 1:
            raise InputError(f"{option} {number}: at least 1")
    names = experiment_names(args.blocks)
    tell(f"data: {drawn_set()}")
    runs = [(name, seed) for seed in range(args.seeds) for name in names]
    for number, (name, seed) in enumerate(runs, start=1):
        tell(f"run {number} of {len(runs)}: {name}, seed {seed}")
        code = subprocess.run(train_command(name, seed, args), check=False).returncode
        if code:
            tell(f"run {number} of {len(runs)} ({name}, seed {seed}) failed with exit code {code}")
            return code if code > 0 else 1  # below 0: ended by a signal
    root = Path(args.output_dir)
    folders = [str(root / name.replace("-", "_") / f"seed{seed}") for name, seed in runs]
    return compare.main([*folders, "-o", str(root / "demo"), "--device", args.device])


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    defaults = DemoExp()
    parser = argparse.ArgumentParser(prog="demo", description=__doc__, allow_abbrev=False)
    add = parser.add_argument
    add("blocks", nargs="*", metavar="BLOCK", help=f"variants (default {' '.join(VARIANTS)})")
    add("--seeds", type=int, default=1, metavar="N", help="runs of each variant (default 1)")
    epochs = defaults.max_epoch
    add("--epochs", type=int, default=epochs, metavar="N", help=f"epochs a run (default {epochs})")
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
    no_aug = min(DemoExp().no_aug_epochs, args.epochs // 4)
    schedule = {"max_epoch": args.epochs, "no_aug_epochs": no_aug, "output_dir": args.output_dir}
    overrides = [str(word) for pair in schedule.items() for word in pair]
    return [*command, "--device", args.device, *overrides]


def tell(line: str) -> None:
    """Say `line` on stderr, so that stdout holds the table alone."""
    print(f"demo: {line}", file=sys.stderr, flush=True)  # noqa: T201

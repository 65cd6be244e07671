"""`train`: one experiment, one seed, one run folder."""

import argparse

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import (
    add_experiment_options,
    add_logger,
    add_recipe,
    check_experiment,
    check_files,
    parse,
    work_of,
)
from yolox_attn.console import outliving_readers
from yolox_attn.errors import InputError
from yolox_attn.names import AUTO


def make_parser() -> argparse.ArgumentParser:
    """Return the parser: YOLOX's flags under their names, and ours."""
    parser = argparse.ArgumentParser(
        "train", description="Train a YOLOX experiment with attention.", allow_abbrev=False
    )
    add = parser.add_argument
    add("--resume", action="store_true", help="go on from the run's newest checkpoint, or -c")
    add("--resume-anyway", action="store_true", help="the same, though the experiment has changed")
    add("--overwrite", action="store_true", help="start anew in a folder that holds a run")
    add("-e", "--start_epoch", type=int, metavar="N", help="with --resume: first epoch, from 1")
    add("--accumulate", type=int, default=1, metavar="N", help="batches a step (default 1)")
    add("--save-steps", type=int, metavar="N", help="also save every N steps")
    add("--save-minutes", type=float, metavar="M", help="also save every M minutes")
    add("--deterministic", action="store_true", help="ask torch for bit-equal CUDA kernels")
    threads = "CPU threads; auto measures; default: all cores, or what a resumed run had"
    add("--threads", type=threads_word, metavar="N|auto", help=threads)
    add("--skip-doctor", action="store_true", help="do not examine the data first")
    add("--cache", action="store_true", help="read all training images into memory first")
    add("-o", "--occupy", action="store_true", help="reserve the CUDA device's memory first")
    add_logger(parser)
    add_recipe(parser)
    add("--help-exp", action="store_true", help="list the settings that `key value` can override")
    add_experiment_options(parser)
    return parser


@report_errors
@outliving_readers()
def main(argv: list[str] | None = None) -> int:
    """Train; returns the exit code."""
    args = parse(make_parser(), argv)
    args.resume = args.resume or args.resume_anyway
    check_flags(args)
    check_experiment(args)
    check_files(args)
    return int(work_of("train").train(args, argv))


def threads_word(word: str) -> int | str:
    """Return a number of threads, or "auto".

    Raises:
        ArgumentTypeError: it is neither.
    """
    if word == AUTO:
        return word
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"{word}: a number from 1, or {AUTO}")
    return int(word)


def check_flags(args: argparse.Namespace) -> None:
    """Refuse flags that contradict each other, or cannot be.

    Raises:
        InputError: which, and what would be right.
    """
    if args.start_epoch is not None and not args.resume:
        raise InputError("-e needs --resume")
    if args.start_epoch is not None and args.start_epoch < 1:
        raise InputError(f"-e {args.start_epoch}: epochs count from 1")
    if args.resume and args.overwrite:
        raise InputError("--resume and --overwrite together: choose one")
    for flag in ("accumulate", "save_steps", "save_minutes"):
        value = getattr(args, flag)
        if value is not None and not value > 0:  # nor nan
            raise InputError(f"--{flag.replace('_', '-')} {value}: must be above 0")

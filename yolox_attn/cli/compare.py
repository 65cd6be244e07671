"""`compare`: finished runs next to their baseline, and a verdict on each variant."""

import argparse
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import (
    add_judging_options,
    add_latency_options,
    check_repeats,
    work_of,
)
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded

JUDGING = ("sesoi", "alpha", "replicates", "truth", "groups")


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Print the comparison of the runs or detections that `argv` names; write it if asked to."""
    args = make_parser().parse_args(argv)
    check_flags(args)
    for path in args.runs:
        if not expanded(path).exists():
            raise InputError(f"{path}: no such folder")
    if args.truth is not None and not args.truth.exists():
        raise InputError(f"--truth {args.truth}: no such file")
    return int(work_of("compare").compare(args, argv))


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(
        "compare",
        description="Compare attention variants with their baseline: verdict, AP, cost.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    runs = "a run's folder, or a folder with runs in it: of a variant's seeds, YOLOX_outputs"
    add("runs", nargs="*", type=Path, metavar="RUN_DIR", help=runs)
    sides = "COCO results instead of runs: a file a training (a name may come again), or a folder "
    sides += "or 'PATTERN' of them, the seed in each name"
    add("--detections", nargs="+", metavar="NAME=FILE", help=sides)
    truth = "COCO annotations of the test images; default: those that the runs name"
    add("--truth", type=Path, metavar="FILE", help=truth)
    baseline = "the variant to subtract; default: the one without attention, or the first NAME"
    add("--baseline", metavar="NAME", help=baseline)
    add_judging_options(parser)
    add("--no-verdict", dest="verdict", action="store_false", help="the plain table")
    output = "also write comparison.md, .csv, .tex, .json, .html and figures there"
    add("-o", "--output", type=Path, metavar="DIR", help=output)
    add_latency_options(parser)
    return parser


def check_flags(args: argparse.Namespace) -> None:
    """Refuse flags that contradict each other or would do nothing.

    Raises:
        InputError: names the flag and what is allowed.
    """
    if args.runs and args.detections:
        raise InputError("RUN_DIR and --detections together: choose one")
    if not args.runs and not args.detections:
        raise InputError("nothing to compare: name run folders, or --truth and --detections")
    if args.detections and args.truth is None:
        raise InputError("--detections needs --truth FILE, the annotations of the test images")
    if args.detections and not args.verdict:
        raise InputError("--no-verdict: of detections alone the verdict is what there is to say")
    given = [f"--{name}" for name in JUDGING if getattr(args, name) is not None]
    if given and not args.verdict:
        raise InputError(
            f"--no-verdict: {', '.join(given)} would do nothing; drop one or the other"
        )
    check_repeats(args)

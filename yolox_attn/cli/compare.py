"""`compare`: finished runs next to their baseline, and a verdict on each variant."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import (
    TERMS,
    add_judging_options,
    add_latency_options,
    check_repeats,
    progress,
    terms_of,
)
from yolox_attn.console import called_as, echo
from yolox_attn.device import fix_threads, pick_device
from yolox_attn.errors import InputError
from yolox_attn.report import (
    Comparison,
    JudgingRequest,
    as_text,
    build_comparison,
    compare_detections,
    judge_runs,
    load_runs,
    measure_latency,
    select_runs,
    write_comparison,
)
from yolox_attn.report.external import files_by_seed

JUDGING = (*TERMS, "truth", "groups")


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Print the comparison of the runs or detections that `argv` names; write it if asked to."""
    args = make_parser().parse_args(argv)
    check(args)
    comparison = from_detections(args) if args.detections else from_runs(args)
    words = shlex.join(sys.argv[1:] if argv is None else argv)
    command = f"{called_as('compare')} {words}"
    comparison = replace(comparison, commands=(*comparison.commands, command))
    if args.output is not None:
        written = write_comparison(args.output, comparison)
        progress(f"written: {', '.join(map(str, written))}")
    echo(as_text(comparison))
    return 0


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


def check(args: argparse.Namespace) -> None:
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
    pick_device(args.device)


def from_runs(args: argparse.Namespace) -> Comparison:
    """Compare run folders: judged unless --no-verdict, timed unless --no-latency."""
    request = request_of(args)
    runs, dropped = select_runs(load_runs(*args.runs), args.baseline)
    comparison = replace(build_comparison(runs, baseline=args.baseline), dropped=tuple(dropped))
    if args.verdict:
        comparison = judge_runs(comparison, runs, request, progress)
    if args.latency:
        fix_threads()
        progress(f"measuring the latency of {len(comparison.variants)} models ...")
        device = pick_device(args.device)
        comparison = measure_latency(comparison, runs, device=device, repeats=args.repeats)
    return comparison


def from_detections(args: argparse.Namespace) -> Comparison:
    """Compare detections that came from anywhere."""
    sides = sides_of(args.detections)
    return compare_detections(args.truth, sides, args.baseline, request_of(args), progress)


def sides_of(words: Sequence[str]) -> dict[str, Sequence[Path] | Mapping[int, Path]]:
    """Return name -> files of the words NAME=FILE, or seed -> file of NAME=FOLDER, NAME=PATTERN.

    Raises:
        InputError: a word of another form, or a side given by patterns and files, or two of them.
    """
    listed: dict[str, list[Path]] = {}
    seeded: dict[str, Mapping[int, Path]] = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not (name and equals and file):
            raise InputError(
                f"--detections {word}: must be NAME=FILE, as baseline=a.json, or NAME='DIR/*.json'"
            )
        several = not Path(file).is_file() and (Path(file).is_dir() or set("*?[") & set(file))
        if name in seeded or (several and name in listed):
            raise InputError(f"--detections {word}: {name} is given already; one pattern a name")
        if several:
            seeded[name] = files_by_seed(file)
        else:
            listed.setdefault(name, []).append(Path(file))
    return {**listed, **seeded}


def request_of(args: argparse.Namespace) -> JudgingRequest:
    """Return how to judge."""
    return JudgingRequest(terms=terms_of(args), truth=args.truth, groups=args.groups)

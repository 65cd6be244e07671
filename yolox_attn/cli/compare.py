"""`yolox-attn compare RUN_DIR...`: finished runs beside their baseline, and a verdict on each."""

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.console import called_as, echo
from yolox_attn.device import fix_threads, pick_device
from yolox_attn.errors import InputError
from yolox_attn.report import (
    Comparison,
    Request,
    as_text,
    compare,
    compare_detections,
    find_runs,
    judge_runs,
    measure_latency,
    write_comparison,
)
from yolox_attn.stats.verdict import Terms

TERMS = ("sesoi", "alpha", "replicates")
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
        _progress(f"written: {', '.join(map(str, written))}")
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
    runs = "a run's folder, or a folder whose subfolders are runs (seed0, seed1 ...)"
    add("runs", nargs="*", type=Path, metavar="RUN_DIR", help=runs)
    sides = "COCO results instead of runs, one file a training; a name may come again"
    add("--detections", nargs="+", metavar="NAME=FILE", help=sides)
    truth = "COCO annotations of the test images; default: those that the runs name"
    add("--truth", type=Path, metavar="FILE", help=truth)
    baseline = "the variant to subtract; default: the one without attention, or the first NAME"
    add("--baseline", metavar="NAME", help=baseline)
    add("--sesoi", type=float, metavar="AP", help="smallest effect worth having (default 0.5)")
    add("--alpha", type=float, metavar="P", help="share of false alarms (default 0.05)")
    add("--replicates", type=int, metavar="N", help="resamples of the images (default 2000)")
    groups = "images that belong together: a key of the image entries, or a csv (image, group)"
    add("--groups", metavar="KEY|FILE.csv", help=groups)
    add("--no-verdict", dest="verdict", action="store_false", help="the plain table")
    output = "also write comparison.md, .csv, .tex, .json, .html and figures there"
    add("-o", "--output", type=Path, metavar="DIR", help=output)
    add("--no-latency", dest="latency", action="store_false", help="do not time the models")
    repeats = "timed passes of each model (default 30)"
    add("--repeats", type=int, default=30, metavar="N", help=repeats)
    add("--device", default="auto", help="where to time: auto, cpu, cuda, cuda:N, mps")
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
        raise InputError("--no-verdict: of detections alone the verdict is what there is to tell")
    if not args.verdict and (given := [f"--{each}" for each in JUDGING if _given(args, each)]):
        raise InputError(
            f"--no-verdict: {', '.join(given)} would do nothing; drop one or the other"
        )
    if args.repeats < 2:
        raise InputError(f"--repeats {args.repeats}: at least 2, a spread is taken of them")
    pick_device(args.device)


def _given(args: argparse.Namespace, name: str) -> bool:
    return getattr(args, name) is not None


def from_runs(args: argparse.Namespace) -> Comparison:
    """Compare run folders: judged unless --no-verdict, timed unless --no-latency."""
    request = request_of(args)
    runs = find_runs(args.runs)
    comparison = compare(runs, baseline=args.baseline)
    if args.verdict:
        comparison = judge_runs(comparison, runs, request, _progress)
    if args.latency:
        fix_threads()
        _progress(f"measuring the latency of {len(comparison.variants)} models ...")
        device = pick_device(args.device)
        comparison = measure_latency(comparison, runs, device=device, repeats=args.repeats)
    return comparison


def from_detections(args: argparse.Namespace) -> Comparison:
    """Compare detections that came from anywhere."""
    sides = sides_of(args.detections)
    return compare_detections(args.truth, sides, args.baseline, request_of(args), _progress)


def sides_of(words: Sequence[str]) -> dict[str, list[Path]]:
    """Return name -> files of the words NAME=FILE.

    Raises:
        InputError: a word of another form.
    """
    sides: dict[str, list[Path]] = {}
    for word in words:
        name, equals, file = word.partition("=")
        if not (name and equals and file):
            raise InputError(f"--detections {word}: must be NAME=FILE, as baseline=a.json")
        sides.setdefault(name, []).append(Path(file))
    return sides


def request_of(args: argparse.Namespace) -> Request:
    """Return how to judge.

    Raises:
        InputError: a term outside its range.
    """
    if args.alpha is not None and not 0 < args.alpha < 0.5:
        raise InputError(f"--alpha {args.alpha:g}: must be above 0 and below 0.5, as 0.05")
    terms = {name: getattr(args, name) for name in TERMS if _given(args, name)}
    return Request(terms=Terms(**terms), truth=args.truth, groups=args.groups)


def _progress(line: str) -> None:
    """Say on stderr how far it is, so that stdout holds the report alone."""
    echo(line, err=True)

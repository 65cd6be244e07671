"""`compare`: finished runs next to their baseline, and a verdict on each variant."""

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from yolox_attn.commands.common import terms_of
from yolox_attn.console import called_as, echo, progress
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


def compare(args: argparse.Namespace, argv: list[str] | None) -> int:
    """Print the comparison that the words `argv` ask for; write it if asked to.

    Raises:
        InputError: the runs or detections cannot be compared.
    """
    pick_device(args.device)
    comparison = from_detections(args) if args.detections else from_runs(args)
    words = shlex.join(sys.argv[1:] if argv is None else argv)
    command = f"{called_as('compare')} {words}"
    comparison = replace(comparison, commands=(*comparison.commands, command))
    if args.output is not None:
        written = write_comparison(args.output, comparison)
        progress(f"written: {', '.join(map(str, written))}")
    echo(as_text(comparison))
    return 0


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

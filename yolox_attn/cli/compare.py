"""`yolox-attn compare RUN_DIR...`: one table of finished runs beside their baseline."""

import argparse
import sys
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.device import fix_threads, pick_device
from yolox_attn.errors import InputError
from yolox_attn.report import as_text, compare, find_runs, measure_latency, write_comparison


@report_errors
def main(argv: list[str] | None = None) -> int:
    """Print the comparison of the runs that `argv` names, and write it if asked to."""
    args = make_parser().parse_args(argv)
    if args.repeats < 2:
        raise InputError(f"--repeats {args.repeats}: at least 2, a spread is taken of them")
    device = pick_device(args.device)
    runs = find_runs(args.runs)
    comparison = compare(runs, baseline=args.baseline)
    if args.latency:
        fix_threads()
        tell(f"measuring the latency of {len(comparison.variants)} models ...")
        comparison = measure_latency(comparison, runs, device=device, repeats=args.repeats)
    print(as_text(comparison))  # noqa: T201 - the product
    if args.output is not None:
        written = write_comparison(args.output, comparison)
        tell(f"written: {', '.join(map(str, written))}")
    return 0


def make_parser() -> argparse.ArgumentParser:
    """Return the command's parser."""
    parser = argparse.ArgumentParser(
        "compare",
        description="Compare attention variants with their baseline: AP, difference, cost.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=Path,
        metavar="RUN_DIR",
        help="a run's folder, or a folder whose subfolders are runs (seed0, seed1 ...)",
    )
    parser.add_argument(
        "--baseline",
        metavar="NAME",
        help="the variant to subtract; default: the one without attention",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="DIR",
        help="also write comparison.md, comparison.csv and comparison.json there",
    )
    parser.add_argument(
        "--no-latency", dest="latency", action="store_false", help="do not time the models"
    )
    parser.add_argument(
        "--repeats",
        type=int,
        default=30,
        metavar="N",
        help="timed passes of each model (default 30)",
    )
    parser.add_argument(
        "--device", default="auto", help="where to time: auto, cpu, cuda, cuda:N, mps"
    )
    return parser


def tell(line: str) -> None:
    """Say `line` on stderr, so that stdout holds the table alone."""
    print(line, file=sys.stderr)  # noqa: T201

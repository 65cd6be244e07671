"""`study`: baseline and variants over seeds, planned, run, and judged by the plan."""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.planning import plan_study
from yolox_attn.errors import InputError

Words = list[str]


@report_errors
def main(argv: Words | None = None) -> int:
    """Run the sub-command that the first word names; returns its exit code."""
    listing = "\n".join(f"  {name:<7} {does.__doc__}" for name, does in ACTIONS.items())
    parser = argparse.ArgumentParser(
        prog="study",
        description=__doc__,
        epilog=f"commands:\n{listing}\n\n`study COMMAND --help` tells the rest.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="study [-h] COMMAND STUDY ...",
        allow_abbrev=False,
    )
    parser.add_argument(
        "action", choices=ACTIONS, metavar="|".join(ACTIONS), help=argparse.SUPPRESS
    )
    words = sys.argv[1:] if argv is None else argv
    return ACTIONS[parser.parse_args(words[:1]).action](words[1:])


def plan(words: Words) -> int:
    """Fix what will be run and how it will be judged."""
    return plan_study("plan", words)


def noise(words: Words) -> int:
    """Plan the baseline alone: how far does the seed move AP, what could be found?"""
    return plan_study("noise", words)


def run(words: Words) -> int:
    """Run what is missing."""
    parser = _parser("run", "Run what is missing of STUDY; may be stopped and repeated.")
    add = parser.add_argument
    add(
        "--max-parallel",
        type=int,
        metavar="N",
        help="runs at a time; default: one a GPU, or what cores and memory allow",
    )
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    add("--retry", action="store_true", help="run again what has failed")
    args = parser.parse_args(words)
    if args.max_parallel is not None and args.max_parallel < 1:
        raise InputError(f"--max-parallel {args.max_parallel}: at least 1")
    from yolox_attn.study.execute import run_study

    return run_study(args.study, parallel=args.max_parallel, device=args.device, retry=args.retry)


def status(words: Words) -> int:
    """Say what is done, running, failed and missing."""
    args = _parser("status", "Say what of STUDY is done, running, failed, missing.").parse_args(
        words
    )
    from yolox_attn.study.status import status_text

    _say(status_text(args.study))
    return 0


def report(words: Words) -> int:
    """Judge the runs by the plan, and write the report."""
    parser = _parser("report", "Judge the runs of STUDY by its plan, and write the report.")
    add = parser.add_argument
    add("-o", "--output", type=Path, metavar="DIR", help="where; default: STUDY/report")
    add("--no-latency", dest="latency", action="store_false", help="do not time the models")
    add("--repeats", type=int, default=30, metavar="N", help="timed passes a model (default 30)")
    add("--device", default="auto", help="where to time: auto, cpu, cuda, cuda:N or mps")
    args = parser.parse_args(words)
    if args.repeats < 2:
        raise InputError(f"--repeats {args.repeats}: at least 2, a spread is taken of them")
    from yolox_attn.report import as_text
    from yolox_attn.study.onward import after_report
    from yolox_attn.study.plan import read_plan
    from yolox_attn.study.reporting import Look, report_study

    look = Look(args.output, args.latency, args.device, args.repeats)
    _say(as_text(report_study(args.study, look, _tell)))
    for line in after_report(args.study, read_plan(args.study)):
        _say(line)
    return 0


def add(words: Words) -> int:
    """Take in runs made by hand, if they fit the plan."""
    parser = _parser("add", "Take runs made by hand into STUDY, if they fit its plan.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="folders of runs")
    args = parser.parse_args(words)
    from yolox_attn.study.adding import add_runs

    _say("\n".join(add_runs(args.study, args.runs)))
    return 0


ACTIONS: Mapping[str, Callable[[Words], int]] = {
    "plan": plan,
    "run": run,
    "status": status,
    "report": report,
    "add": add,
    "noise": noise,
}


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"study {name}", description=description, allow_abbrev=False)
    parser.add_argument("study", type=Path, metavar="STUDY", help="the study's folder")
    return parser


def _say(text: str) -> None:
    print(text)  # noqa: T201 - the product


def _tell(line: str) -> None:
    """Say on stderr how far it is, so that stdout holds the report alone."""
    print(line, file=sys.stderr)  # noqa: T201

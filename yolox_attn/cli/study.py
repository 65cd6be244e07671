"""`study`: baseline and variants over seeds, planned, run, and judged by the plan."""

import argparse
import os
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.console import called_as, echo
from yolox_attn.device import devices_for_runs, pick_device
from yolox_attn.errors import InputError
from yolox_attn.machine import usable_cores
from yolox_attn.report import as_text
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.commands import commands_after_report, next_commands
from yolox_attn.study.import_runs import add_runs
from yolox_attn.study.plan import PLAN_NAME, SPLITS, Training, read_plan
from yolox_attn.study.planner import Request, plan_study
from yolox_attn.study.report import ReportOptions, report_study
from yolox_attn.study.scheduler import run_study
from yolox_attn.study.status import status_text
from yolox_attn.study.summary import NOISE, plan_lines

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
    return _plan("plan", words)


def noise(words: Words) -> int:
    """Plan the baseline alone: how far does the seed move AP, what could be found?"""
    return _plan("noise", words)


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

    return run_study(args.study, parallel=args.max_parallel, device=args.device, retry=args.retry)


def status(words: Words) -> int:
    """Say what is done, running, failed and missing."""
    args = _parser("status", "Say what of STUDY is done, running, failed, missing.").parse_args(
        words
    )

    echo(status_text(args.study))
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

    options = ReportOptions(args.output, args.latency, args.device, args.repeats)
    echo(as_text(report_study(args.study, options, _progress)))
    for line in commands_after_report(args.study, read_plan(args.study)):
        echo(line)
    return 0


def add(words: Words) -> int:
    """Take in runs made by hand, if they fit the plan."""
    parser = _parser("add", "Take runs made by hand into STUDY, if they fit its plan.")
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="folders of runs")
    args = parser.parse_args(words)
    echo("\n".join(add_runs(args.study, args.runs)))
    return 0


def _plan(name: str, words: Words) -> int:
    """Make the plan of `study plan` or `study noise`, by `name`, and say what it is."""
    command = f"{called_as('study')} {shlex.join([name, *words])}"
    if words and not words[0].startswith("-"):
        words = ["--study", *words]  # what an override is, argparse knows behind options alone
    elif not {"-h", "--help"} & {*words}:
        raise InputError(f"study {name}: the study's folder comes first, then the options")
    args = make_parser(name).parse_args(words)
    request = make_request(args, command)
    device = pick_device(args.device)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    study = plan_study(args.study, request, _progress)
    lines = [*NOISE, ""] if name == "noise" else []
    cpu, threads = device.type == "cpu", study.plan.training.threads
    room = usable_cores() // threads if cpu else len(devices_for_runs(args.device))
    lines += plan_lines(study, room)
    if args.probe and load > usable_cores():
        lines += [f"note: the machine was busy (load {load:.1f}): alone the runs take less time"]
    lines += ["", f"plan: {args.study / PLAN_NAME}, sha256 {study.plan.hash}"]
    echo("\n".join([*lines, *next_commands(args.study, study.plan)]))
    return 0


def make_request(args: argparse.Namespace, command: str) -> Request:
    """Return what the arguments ask for; `command` is what was typed.

    Raises:
        InputError: they contradict each other, or name nothing to compare.
    """
    if args.fp16 and args.bf16:
        raise InputError("--fp16 and --bf16 together: choose one")
    variants, controls = getattr(args, "variants", None), getattr(args, "controls", None)
    if variants == [] and controls == []:
        raise InputError("nothing to compare: give --variants; the baseline alone is `study noise`")
    one = len(args.seeds) == 1
    if one and args.seeds[0] < 1:
        raise InputError(f"--seeds {args.seeds[0]}: how many, at least 1; or several seeds")
    return Request(
        baseline=args.baseline,
        variants=tuple(variants or ()),
        controls=tuple(controls or ()),
        seeds=tuple(range(args.seeds[0])) if one else tuple(args.seeds),
        training=Training(
            data=args.data,
            batch_size=args.batch_size,
            accumulate=args.accumulate,
            precision="fp16" if args.fp16 else "bf16" if args.bf16 else "fp32",
            checkpoint=args.ckpt,
            threads=args.threads,
            overrides=tuple(word for word in args.opts if word != "--"),
        ),
        split=args.split,
        terms=Terms(sesoi=args.sesoi, alpha=args.alpha, replicates=args.replicates),
        groups=args.groups,
        noise=args.noise,
        command=command,
        device=args.device if args.probe else None,
    )


def make_parser(name: str) -> argparse.ArgumentParser:
    """Return the parser of `study plan`, or of `study noise`, which takes no variants."""
    parser = argparse.ArgumentParser(
        f"study {name}",
        usage=f"study {name} STUDY --baseline EXP [options] [key value ...]",
        description="Check everything and write STUDY/plan.json; what follows the options are "
        "overrides of Exp settings, for all runs.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--study", type=Path, required=True, help=argparse.SUPPRESS)
    add("--baseline", required=True, metavar="EXP", help="an Exp file, or a name as yolox-nano")
    if name == "plan":
        add("--variants", nargs="+", default=[], metavar="V",
            help="blocks (cam) for the baseline; names (yolox-nano-cam); Exp files")  # fmt: skip
        add("--controls", nargs="+", default=[], metavar="C", help="placebo, plain:BLOCK")
    add("--seeds", nargs="+", type=int, default=[3], metavar="N",
        help="how many (0, 1 ...), or several seeds by their numbers; default 3")  # fmt: skip
    _add_training(parser)
    _add_terms(parser)
    add("--device", default="auto", help="of the timed probe; `run` has its own")
    add("--no-probe", dest="probe", action="store_false", help="do not time steps of the variants")
    add("opts", nargs=argparse.REMAINDER, metavar="key value", help="overrides, for all runs")
    return parser


def _add_training(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--data", metavar="DIR", help="COCO-layout folder")
    add("-b", "--batch-size", type=int, default=8, metavar="N", help="images a pass, default 8")
    add("--accumulate", type=int, default=1, metavar="N", help="batches a step (default 1)")
    add("-c", "--ckpt", metavar="FILE", help="pretrained weights that every run starts from")
    add("--fp16", action="store_true", help="mixed precision in float16 (CUDA only)")
    add("--bf16", action="store_true", help="mixed precision in bfloat16 (CPU or CUDA)")
    add("--threads", type=int, default=1, metavar="N", help="CPU threads a run (default 1)")


def _add_terms(parser: argparse.ArgumentParser) -> None:
    add, usual = parser.add_argument, Terms()
    add("--split", default="val", choices=SPLITS, help="the images that judge (default val)")
    add("--sesoi", type=float, default=usual.sesoi, metavar="AP",
        help=f"smallest effect worth having, AP points (default {usual.sesoi:g})")  # fmt: skip
    add("--alpha", type=float, default=usual.alpha, metavar="A",
        help=f"error rate of the verdicts (default {usual.alpha:g})")  # fmt: skip
    add("--replicates", type=int, default=usual.replicates, metavar="R",
        help=f"resamples of the images (default {usual.replicates})")  # fmt: skip
    add("--groups", metavar="KEY|CSV",
        help="images that belong together: a key of the annotations' images, or a csv file with "
        "the columns image and group")  # fmt: skip
    add("--noise", metavar="SD|STUDY",
        help="SD of paired differences, AP points, or a `study noise` with its report")  # fmt: skip


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"study {name}", description=description, allow_abbrev=False)
    parser.add_argument("study", type=Path, metavar="STUDY", help="the study's folder")
    return parser


def _progress(line: str) -> None:
    """Say on stderr how far it is, so that stdout holds the product alone."""
    echo(line, err=True)


ACTIONS: Mapping[str, Callable[[Words], int]] = {
    "plan": plan,
    "run": run,
    "status": status,
    "report": report,
    "add": add,
    "noise": noise,
}

"""`study`: baseline and variants over seeds, planned, run, and judged by the plan."""

import argparse
import shlex
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from yolox_attn.cli import report_errors
from yolox_attn.cli.common import (
    SIZE_HELP,
    add_judging_options,
    add_latency_options,
    add_logger,
    add_overrides,
    add_precision_options,
    add_recipe,
    check_files,
    check_repeats,
    parse,
    work_of,
)
from yolox_attn.console import called_as, outliving_readers
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.names import JUDGING_SPLITS, PLAN_NAME

Words = list[str]
Action = Callable[[Words], int]


@report_errors
def main(argv: Words | None = None) -> int:
    """Run the sub-command that the first word names; returns its exit code."""
    listing = "\n".join(f"  {name:<7} {does.__doc__}" for name, does in ACTIONS.items())
    parser = argparse.ArgumentParser(
        prog="study",
        description=__doc__,
        epilog=f"commands:\n{listing}\n\n`study COMMAND --help` says the rest.",
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


def _plan(name: str, words: Words) -> int:
    """Make the plan of `study plan` or `study noise`, by `name`, and say what it is."""
    command = f"{called_as('study')} {shlex.join([name, *words])}"
    if words and not words[0].startswith("-"):
        words = ["--study", *words]  # what an override is, argparse knows behind options alone
    elif not {"-h", "--help"} & {*words}:
        raise InputError(f"study {name}: the study's folder comes first, then the options")
    args = parse(plan_parser(name), words)
    check_plan(args)
    check_files(args)
    return int(work_of("study").plan(args, name, command))


def plan_parser(name: str) -> argparse.ArgumentParser:
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
        variants = "blocks (cam) for the baseline; names (yolox-nano-cam); Exp files"
        add("--variants", nargs="+", default=[], metavar="V", help=variants)
        add("--controls", nargs="+", default=[], metavar="C", help="placebo, plain:BLOCK")
    seeds = "how many (0, 1 ...), or several seeds by their numbers; default 3"
    several = parser.add_mutually_exclusive_group() if name == "plan" else parser
    several.add_argument("--seeds", nargs="+", type=int, default=[3], metavar="N", help=seeds)
    if name == "plan":
        looks = "judge in stages, at so many seeds a side each; alone: 4 7 10"
        several.add_argument("--looks", nargs="*", type=int, metavar="N", help=looks)
    add("--data", metavar="DIR", help="COCO-layout folder")
    add("-b", "--batch-size", type=int, default=8, metavar="N", help="images a pass, default 8")
    add("--accumulate", type=int, default=1, metavar="N", help="batches a step (default 1)")
    add("-c", "--ckpt", metavar="FILE", help="pretrained weights that every run starts from")
    add_recipe(parser)
    add_precision_options(parser)
    add("--threads", type=int, default=1, metavar="N", help="CPU threads a run (default 1)")
    add(
        "--split", default="val", choices=JUDGING_SPLITS, help="the images that judge (default val)"
    )
    add_judging_options(parser)
    sd = "SD of paired differences, AP points, or studies with their reports"
    add("--noise", nargs="+", default=[], metavar="SD|STUDY", help=sd)
    add("--device", default="auto", help="of the timed probe; `run` has its own")
    add("--no-probe", dest="probe", action="store_false", help="do not time steps of the variants")
    add("--size", type=int, metavar="N", help=SIZE_HELP)
    add_overrides(parser, "overrides, for all runs")
    return parser


def check_plan(args: argparse.Namespace) -> None:
    """Refuse a plan that compares nothing, and Exp files that are not there.

    Raises:
        InputError: which.
    """
    variants, controls = getattr(args, "variants", None), getattr(args, "controls", None)
    if variants == [] and controls == []:
        raise InputError("nothing to compare: give --variants; the baseline alone is `study noise`")
    if len(args.seeds) == 1 and args.seeds[0] < 1:
        raise InputError(f"--seeds {args.seeds[0]}: how many, at least 1; or several seeds")
    for word in (args.baseline, *(variants or ())):
        if word.endswith(".py") and not expanded(word).exists():
            raise InputError(f"no Exp file {word}")


@outliving_readers()
def run(words: Words) -> int:
    """Run what is missing; may be stopped and repeated."""
    parser = _parser(run)
    add = parser.add_argument
    parallel = "runs at a time; default: one a GPU, or what cores and memory allow"
    add("--max-parallel", type=int, metavar="N", help=parallel)
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps")
    failed = parser.add_mutually_exclusive_group()
    failed.add_argument("--retry", action="store_true", help="run again what has failed")
    out = "judge the next look without what has failed: its pairs stay out"
    failed.add_argument("--leave-out-failed", action="store_true", help=out)
    until = "of a study in stages: stop after this look"
    add("--until-look", type=int, metavar="K", help=until)
    add_logger(parser)
    args = parser.parse_args(words)
    check_planned(args.study)
    return int(work_of("study").run(args))


def status(words: Words) -> int:
    """Say what is done, running, failed and missing."""
    args = _parser(status).parse_args(words)
    check_planned(args.study)
    return int(work_of("study").status(args))


def report(words: Words) -> int:
    """Judge the runs by the plan, and write the report."""
    parser = _parser(report)
    output = "where; default: STUDY/report"
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=output)
    add_latency_options(parser)
    args = parser.parse_args(words)
    check_repeats(args)
    check_planned(args.study)
    return int(work_of("study").report(args))


def add(words: Words) -> int:
    """Take in runs made by hand, if they fit the plan."""
    parser = _parser(add)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN_DIR", help="folders of runs")
    args = parser.parse_args(words)
    check_planned(args.study)
    return int(work_of("study").add(args))


def merge(words: Words) -> int:
    """Pool studies on several data sets, from their reports."""
    parser = argparse.ArgumentParser("study merge", description=merge.__doc__, allow_abbrev=False)
    studies = "studies, folders of their reports, or comparison.json files"
    parser.add_argument("studies", nargs="+", type=Path, metavar="STUDY", help=studies)
    output = "also write merged.md, merged.json and forest plots there"
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help=output)
    args = parser.parse_args(words)
    check_there(args.studies)
    return int(work_of("study").merge(args))


def diff(words: Words) -> int:
    """Compare a study with its replication: what differed, and is each result replicated?"""
    parser = argparse.ArgumentParser("study diff", description=diff.__doc__, allow_abbrev=False)
    studies = "two studies, folders of their reports, or comparison.json files"
    parser.add_argument("studies", nargs=2, type=Path, metavar="STUDY", help=studies)
    args = parser.parse_args(words)
    check_there(args.studies)
    return int(work_of("study").diff(args))


def _parser(action: Action) -> argparse.ArgumentParser:
    """Return the parser of a sub-command that works in a study."""
    name = f"study {action.__name__}"
    parser = argparse.ArgumentParser(name, description=action.__doc__, allow_abbrev=False)
    parser.add_argument("study", type=Path, metavar="STUDY", help="the study's folder")
    return parser


def check_planned(study: Path) -> None:
    """Refuse a folder without a plan.

    Raises:
        InputError: it has none.
    """
    if not (study / PLAN_NAME).exists():
        raise InputError(
            f"{study} is not a study folder: it has no {PLAN_NAME}; make one by `study plan`"
        )


def check_there(studies: list[Path]) -> None:
    """Refuse studies that are not there.

    Raises:
        InputError: which.
    """
    for path in studies:
        if not expanded(path).exists():
            raise InputError(f"{path}: no comparison.json there; `study report` writes it")


ACTIONS: Mapping[str, Action] = {
    "plan": plan,
    "run": run,
    "status": status,
    "report": report,
    "add": add,
    "merge": merge,
    "diff": diff,
    "noise": noise,
}

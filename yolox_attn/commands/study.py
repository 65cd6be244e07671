"""`study`: baseline and variants over seeds, planned, run, and judged by the plan."""

import argparse

from yolox_attn.commands.common import apply_recipe, precision_of, terms_of
from yolox_attn.console import echo, progress
from yolox_attn.names import PLAN_NAME
from yolox_attn.report import as_text
from yolox_attn.report import merge as merging
from yolox_attn.report.text import to_text
from yolox_attn.stats.stages import DEFAULT_LOOKS
from yolox_attn.study.commands import commands_after_report, next_commands
from yolox_attn.study.diff import diff as diff_studies
from yolox_attn.study.import_runs import add_runs
from yolox_attn.study.plan import Training, read_plan
from yolox_attn.study.planner import PlanRequest, plan_study
from yolox_attn.study.report import ReportOptions, report_study
from yolox_attn.study.scheduler import run_study
from yolox_attn.study.slots import choose_slots
from yolox_attn.study.status import status_text
from yolox_attn.study.summary import NOISE, plan_lines


def plan(args: argparse.Namespace, name: str, command: str) -> int:
    """Make the plan of `study plan` or `study noise`, by `name`; `command` is what was typed."""
    recipe = apply_recipe(args, pretrained=args.ckpt is not None)
    study = plan_study(args.study, make_request(args, command), progress)
    lines = [*NOISE, ""] if name == "noise" else []
    lines += [recipe, ""] if recipe else []
    lines += plan_lines(study, len(choose_slots(study.plan, device=args.device)))
    lines += ["", f"plan: {args.study / PLAN_NAME}, sha256 {study.plan.hash}"]
    echo("\n".join([*lines, *next_commands(args.study, study.plan)]))
    return 0


def make_request(args: argparse.Namespace, command: str) -> PlanRequest:
    """Return what the arguments ask for; `command` is what was typed.

    Raises:
        InputError: a term is outside its range.
    """
    precision = precision_of(args)
    variants, controls = getattr(args, "variants", None), getattr(args, "controls", None)
    one = len(args.seeds) == 1
    looks = getattr(args, "looks", None)
    looks = () if looks is None else tuple(looks) or DEFAULT_LOOKS
    seeds = tuple(range(args.seeds[0])) if one else tuple(args.seeds)
    return PlanRequest(
        baseline=args.baseline,
        variants=tuple(variants or ()),
        controls=tuple(controls or ()),
        seeds=tuple(range(max(looks))) if looks else seeds,
        looks=looks,
        training=Training(
            data=args.data,
            batch_size=args.batch_size,
            accumulate=args.accumulate,
            precision=precision,
            checkpoint=args.ckpt,
            threads=args.threads,
            overrides=tuple(args.opts),
        ),
        split=args.split,
        terms=terms_of(args),
        groups=args.groups,
        noise=tuple(args.noise),
        device=args.device,
        timed=args.probe,
        size=args.size,
        command=command,
    )


def run(args: argparse.Namespace) -> int:
    """Run what is missing; returns the exit code."""
    return run_study(
        args.study,
        parallel=args.max_parallel,
        device=args.device,
        retry=args.retry,
        leave_out_failed=args.leave_out_failed,
        until_look=args.until_look,
        logger=args.logger,
    )


def status(args: argparse.Namespace) -> int:
    """Say what is done, running, failed and missing."""
    echo(status_text(args.study))
    return 0


def report(args: argparse.Namespace) -> int:
    """Judge the runs by the plan, and write the report."""
    options = ReportOptions(args.output, args.latency, args.device, args.repeats)
    echo(as_text(report_study(args.study, options, progress)))
    for line in commands_after_report(args.study, read_plan(args.study)):
        echo(line)
    return 0


def add(args: argparse.Namespace) -> int:
    """Take in runs made by hand, if they fit the plan."""
    echo("\n".join(add_runs(args.study, args.runs)))
    return 0


def merge(args: argparse.Namespace) -> int:
    """Pool studies on several data sets, from their reports."""
    merged = merging.merge(merging.read_studies(args.studies))
    if args.output is not None:
        progress(f"written: {', '.join(map(str, merging.write_merged(args.output, merged)))}")
    echo(to_text(merging.sections(merged)))
    return 0


def diff(args: argparse.Namespace) -> int:
    """Compare a study with its replication: what differed, and is each result replicated?"""
    echo(to_text(diff_studies(args.studies)))
    return 0

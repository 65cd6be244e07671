"""What a study finds, by the plan that it began with: runs in, verdicts and files out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from yolox_attn.device import pick_device
from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, Run, compare, measure_latency, write_comparison
from yolox_attn.report.comparison import PlanSummary
from yolox_attn.report.judge_runs import JudgingRequest, judge_runs
from yolox_attn.stats.verdict import EDITION
from yolox_attn.study.commands import study_command
from yolox_attn.study.eligibility import eligible_runs
from yolox_attn.study.plan import PLAN_NAME, Plan, check_unchanged, read_plan
from yolox_attn.study.planned_run import UNFINISHED, planned_runs, state_of

REPORT = "report"  # folder of a study


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made, besides what the plan says.

    Args:
        output: where its files go; None: STUDY/report.
        latency: time the models; device, repeats: where and how often.
    """

    output: Path | None = None
    latency: bool = True
    device: str = "auto"
    repeats: int = 30


def report_study(
    folder: Path, options: ReportOptions, progress: Callable[[str], None]
) -> Comparison:
    """Judge the study in `folder` by its plan and write the report's files.

    A run that is missing, failed, or is not what the plan says leaves the comparison with its
    pair, and the report names it and why.

    Raises:
        InputError: no plan, a truth that has changed, or not one run of the baseline.
    """
    plan = read_plan(folder)
    check_unchanged(plan, only={plan.truth, plan.groups})
    runs, dropped = eligible_runs(plan, folder)
    if plan.baseline.name not in {run.name for run in runs}:
        raise InputError(f"{folder}: no run of the baseline {plan.baseline.name} to judge by")
    comparison = _with_roles(compare(runs, baseline=plan.baseline.name, alone=True), plan)
    family = tuple(each.name for each in plan.variants if each.role == "variant")
    request = JudgingRequest(
        terms=plan.terms, truth=Path(plan.truth), groups=plan.groups, planned=family
    )
    comparison = judge_runs(comparison, runs, request, progress)
    if options.latency:
        progress(f"measuring the latency of {len(comparison.variants)} models ...")
        device = pick_device(options.device)
        comparison = measure_latency(comparison, runs, device=device, repeats=options.repeats)
    states = [state_of(job) for job in planned_runs(plan, folder)]
    comparison = replace(
        comparison,
        plan=PlanSummary(str(folder / PLAN_NAME), plan.hash, plan.created, plan.split, plan.seeds),
        dropped=(*dropped, *comparison.dropped),
        notes=(*_changed(plan), *_edition(plan), *_before_the_plan(runs, plan), *comparison.notes),
        commands=_commands(plan, folder),
        pending=sum(state in (*UNFINISHED, "running") for state in states),
    )
    written = write_comparison(options.output or folder / REPORT, comparison)
    progress(f"written: {', '.join(map(str, written))}")
    return comparison


def _with_roles(comparison: Comparison, plan: Plan) -> Comparison:
    """Return the comparison with the roles that the plan gives its variants."""
    roles = {each.name: each.role for each in plan.variants}
    variants = (replace(each, role=roles[each.name]) for each in comparison.variants)
    return replace(comparison, variants=tuple(variants))


def _changed(plan: Plan) -> list[str]:
    """Say which file of the plan is another now: no run begins with it, but those made stand."""
    try:
        check_unchanged(plan)
    except InputError as error:
        return [f"Since the plan was made: {error}."]
    return []


def _edition(plan: Plan) -> list[str]:
    """Say that the plan was made when another procedure judged."""
    if plan.edition == EDITION:
        return []
    return [
        f"The plan was made when edition {plan.edition or 1} of the procedure judged; edition "
        f"{EDITION} has judged here (docs/statistics.md says what differs)."
    ]


def _before_the_plan(runs: Sequence[Run], plan: Plan) -> list[str]:
    """Name the blocks' runs that were there before the plan: it may have been made with them."""
    made = _time(plan.created)
    early = [
        run.title
        for run in runs
        if run.name != plan.baseline.name and _time(run.record.started) < made
    ]
    if not early:
        return []
    return [
        f"Begun before the plan was made, so that the plan may know their results: "
        f"{', '.join(early)}. Read the p values as exploratory."
    ]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise InputError(f"{text!r} is not a time that can be read: {error}") from error


def _commands(plan: Plan, folder: Path) -> tuple[str, ...]:
    """Return the lines that repeat the study."""
    planned = (plan.command,) if plan.command else ()
    return (*planned, *(study_command(name, folder) for name in ("run", "report")))

"""What a study says, by the plan that it began with: runs in, verdicts and files out."""

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import torch

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.device import pick_device
from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, Run, compare, find_runs, measure_latency, write_comparison
from yolox_attn.report.comparison import Dropped, PlanSummary
from yolox_attn.report.judging import Request, judge_runs
from yolox_attn.report.protocol import protocol_differences
from yolox_attn.study.adding import mismatch
from yolox_attn.study.jobs import Job, jobs, reason_of, state_of
from yolox_attn.study.plan import PLAN_NAME, Plan, PlannedVariant, read_plan

REPORT = "report"
TO_COME = ("missing", "running", "interrupted", "killed", "trained")
SAME_VERSIONS = ("yolox_attn", "yolox", "torch", "torchvision")  # another one, another experiment
Tell = Callable[[str], None]


@dataclass(frozen=True)
class Look:
    """How a report is made, beside the plan.

    Args:
        output: where its files go; None: STUDY/report.
        latency: time the models; device, repeats: where and how often.
    """

    output: Path | None = None
    latency: bool = True
    device: str = "auto"
    repeats: int = 30


def report_study(folder: Path, look: Look, tell: Tell) -> Comparison:
    """Judge the study in `folder` by its plan and write the report's files.

    A run that is missing, failed, or is not what the plan says leaves the comparison with its
    pair, and the report names it and why.

    Raises:
        InputError: no plan, a truth that has changed, or not one run of the baseline.
    """
    plan = read_plan(folder)
    truth = Path(plan.truth)
    if not truth.is_file() or file_hash(truth) != plan.truth_sha256:
        raise InputError(f"{truth} is not the file that {folder / PLAN_NAME} was made with")
    runs, dropped = collect(plan, folder)
    if plan.baseline.name not in {run.name for run in runs}:
        raise InputError(f"{folder}: no run of the baseline {plan.baseline.name} to judge by")
    comparison = _planned(compare(runs, baseline=plan.baseline.name, alone=True), plan)
    family = tuple(each.name for each in plan.variants if each.role == "variant")
    request = Request(terms=plan.terms, truth=truth, groups=plan.groups, planned=family)
    comparison = judge_runs(comparison, runs, request, tell)
    if look.latency:
        tell(f"measuring the latency of {len(comparison.variants)} models ...")
        device: torch.device = pick_device(look.device)
        comparison = measure_latency(comparison, runs, device=device, repeats=look.repeats)
    comparison = replace(
        comparison,
        plan=_summary(plan, folder),
        dropped=(*dropped, *comparison.dropped),
        notes=(*_before_the_plan(runs, plan), *comparison.notes),
        commands=commands_of(plan, folder),
        pending=sum(state_of(job) in TO_COME for job in jobs(plan, folder)),
    )
    written = write_comparison(look.output or folder / REPORT, comparison)
    tell(f"written: {', '.join(map(str, written))}")
    return comparison


def collect(plan: Plan, folder: Path) -> tuple[list[Run], list[Dropped]]:
    """Return the plan's runs that may be judged, and those that may not, with the reason."""
    runs: list[Run] = []
    dropped: list[Dropped] = []
    for job in jobs(plan, folder):
        try:
            runs.append(_finished(job))
        except InputError as error:
            dropped.append(Dropped(job.variant.name, job.seed, str(error)))
    kept = []
    for run, why in zip(runs, _strange(runs, plan), strict=True):
        if why is None:
            kept.append(run)
        else:
            dropped.append(Dropped(run.name, run.record.seed, why))
    return kept, dropped


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise InputError(f"{text!r} is no time that can be read: {error}") from error


def _planned(comparison: Comparison, plan: Plan) -> Comparison:
    """Take the roles from the plan."""
    roles = {each.name: each.role for each in plan.variants}
    variants = (replace(each, role=roles[each.name]) for each in comparison.variants)
    return replace(comparison, variants=tuple(variants))


def _before_the_plan(runs: Sequence[Run], plan: Plan) -> list[str]:
    """Name the blocks' runs that were there before the plan: it cannot have been made blindly."""
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


def commands_of(plan: Plan, folder: Path) -> tuple[str, ...]:
    """Return the lines that repeat the study: its plan holds everything else."""
    where = shlex.quote(str(folder))
    return (
        f"python tools/study.py run {where}",
        f"python tools/study.py report {where}",
    )


def _finished(job: Job) -> Run:
    """Return the job's run.

    Raises:
        InputError: it has not ended well, or has nothing to be judged by.
    """
    state = state_of(job)
    if state != "finished":
        reason = reason_of(job)
        raise InputError(f"{state}: {reason}" if reason else state)
    run = find_runs([job.folder])[0]
    if run.record.seed != job.seed:
        raise InputError(f"{job.folder} holds seed {run.record.seed}")
    record = replace(run.record, name=job.variant.name)
    return replace(run, record=record, evaluation=job.evaluation)


def _strange(runs: Sequence[Run], plan: Plan) -> list[str | None]:
    """Say of each run why it cannot stand beside the others.

    It is not what the plan says; or, where the plan is silent, not what most of the runs are.
    """
    variants = {each.name: each for each in plan.variants}
    found = [_against_plan(run, plan, variants[run.name]) for run in runs]
    fine = [run for run, why in zip(runs, found, strict=True) if why is None]
    if not fine:
        return found
    usual = _usual(fine)
    return [why or _against(usual, run) for run, why in zip(runs, found, strict=True)]


def _against_plan(run: Run, plan: Plan, variant: PlannedVariant) -> str | None:
    why = mismatch(run.record, plan, variant)
    return f"not as planned: {why}" if why else None


def _usual(runs: Sequence[Run]) -> Run:
    """Return a run of the protocol that most runs share; of two equally common ones the first."""
    alike = Counter[int]()
    for place, run in enumerate(runs):
        same = (k for k, other in enumerate(runs) if _against(other, run) is None)
        alike[next(same, place)] += 1
    return runs[alike.most_common(1)[0][0]]


def _against(usual: Run, run: Run) -> str | None:
    if differing := protocol_differences(usual.record, run.record):
        return f"unlike {usual.title}: {differing}"
    for package in SAME_VERSIONS:
        ours, theirs = (each.record.versions.get(package) for each in (usual, run))
        if ours != theirs:
            return f"another version of {package} than {usual.title}: {theirs}, not {ours}"
    return None


def _summary(plan: Plan, folder: Path) -> PlanSummary:
    path = str(folder / PLAN_NAME)
    return PlanSummary(path, plan.hash, plan.created, plan.split, plan.seeds)

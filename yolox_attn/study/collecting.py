"""Which of a study's runs may be judged: ended well, as planned, and like the others."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from yolox_attn.errors import InputError
from yolox_attn.report import Run, find_runs
from yolox_attn.report.comparison import Dropped
from yolox_attn.report.protocol import protocol_differences
from yolox_attn.study.adding import mismatch
from yolox_attn.study.jobs import Job, jobs, reason_of, state_of
from yolox_attn.study.plan import Plan, PlannedVariant

SAME_VERSIONS = ("yolox_attn", "yolox", "torch", "torchvision")  # another one, another experiment


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

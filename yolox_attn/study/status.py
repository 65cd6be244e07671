"""How far a study is, in words: reads what the runs write, and may be asked at any time."""

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from yolox_attn.errors import InputError
from yolox_attn.study.jobs import ADDED_NAME, Job, figures_of, jobs, reason_of, record_of, state_of
from yolox_attn.study.plan import Plan, read_plan

STATES = ("trained", "running", "interrupted", "killed", "failed", "unreadable", "missing")
TOOL = "python tools/study.py"


def status_text(folder: Path) -> str:
    """Return the plan's hash, a table of all runs, what failed and why, and what to type next.

    Raises:
        InputError: no plan there, or one of the study's own files cannot be read.
    """
    plan = read_plan(folder)
    every = jobs(plan, folder)
    states = [state_of(job) for job in every]
    lines = [
        f"study {folder}: plan {plan.hash[:12]} of {plan.created}, judged on {plan.split}",
        "",
        *_table(plan, dict(zip([job.key for job in every], map(cell, every, states), strict=True))),
        "",
        count_states(states),
        *problem_lines(every, states),
        f"next: {next_step(folder, states)}",
    ]
    return "\n".join(lines)


def count_states(states: Sequence[str]) -> str:
    """Return "5 of 6 runs finished, 1 failed"."""
    count = Counter(states)
    parts = [f"{count[state]} {state}" for state in STATES if count[state]]
    return ", ".join([f"{count['finished']} of {len(states)} runs finished", *parts])


def problem_lines(every: Sequence[Job], states: Sequence[str]) -> list[str]:
    """Name each run that failed, or cannot be read, or cannot be judged, with the reason."""
    lines = []
    for job, state in zip(every, states, strict=True):
        if state == "failed":
            lines.append(f"failed: {job.title}: {reason_of(job)}; log: {job.log}")
        elif state == "unreadable":
            lines.append(f"unreadable: {job.title}: {reason_of(job)}; {_remedy(job)}")
        elif state == "finished" and (fault := unjudgeable(job)):
            lines.append(f"note: {job.title} {fault}: the report will leave it out")
    return lines


def unjudgeable(job: Job) -> str | None:
    """Say why a finished run cannot be judged."""
    try:
        record, ap = record_of(job), figures_of(job).get("AP")
    except InputError as error:
        return str(error)
    if record is not None and (early := record.stopped_early):
        return f"was ended by its validation split after epoch {early.get('epoch')} (patience)"
    return "has no AP" if ap is None else None


def next_step(folder: Path, states: Sequence[str]) -> str:
    """Return what to type next."""
    place = shlex.quote(str(folder))
    if "unreadable" in states:  # it may be finished: nothing here may lead to its being overwritten
        return f"put right what cannot be read (see above), then {TOOL} run {place}"
    if set(states) == {"finished"}:
        return f"{TOOL} report {place}"
    if set(states) <= {"finished", "failed"}:
        return f"{TOOL} run {place} --retry (runs again what failed), or {TOOL} report {place}"
    if set(states) <= {"finished", "failed", "running"}:
        return f"wait for what is running, then {TOOL} run {place}"
    return f"{TOOL} run {place}"


def _remedy(job: Job) -> str:
    if job.added_sha256 is not None:
        return f"put it back as it was, or take {job.key} out of the study's {ADDED_NAME}"
    return f"mend it, or move {job.folder} away to train the run anew"


def cell(job: Job, state: str) -> str:
    """Return how far one run is: "AP 41.2", "epoch 3 of 10", "interrupted after 3 of 10"."""
    try:
        record = record_of(job)
        ap = figures_of(job).get("AP") if state == "finished" else None
    except InputError:
        return state
    if record is None or state in ("failed", "missing"):
        return state
    if state == "finished":
        early = f", ended at epoch {record.epoch}" if record.stopped_early else ""
        return ("no AP" if ap is None else f"AP {100 * ap:.1f}") + early
    if state == "trained":
        return "trained, not evaluated"
    far = f"{record.epoch} of {record.config.get('max_epoch', '?')}"
    return f"running, {far} epochs" if state == "running" else f"{state} after {far} epochs"


def _table(plan: Plan, cells: dict[str, str]) -> list[str]:
    rows = [
        [variant.name, *(cells[f"{variant.name}/seed{seed}"] for seed in plan.seeds)]
        for variant in plan.variants
    ]
    heads = ["variant", *(f"seed {seed}" for seed in plan.seeds)]
    return tabulate(rows, heads, disable_numparse=True).splitlines()

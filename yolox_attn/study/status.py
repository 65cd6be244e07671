"""How far a study is, in words: reads what the runs write, and may be asked at any time."""

import math
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path

from tabulate import tabulate

from yolox_attn.console import count
from yolox_attn.errors import InputError
from yolox_attn.report.format import duration
from yolox_attn.runs import RunRecord, read_metrics
from yolox_attn.runs.remarks import curve_of, rise_in_words
from yolox_attn.stats.stages import LookRules, expected_seeds
from yolox_attn.study.commands import study_command
from yolox_attn.study.estimate import wall_time
from yolox_attn.study.judge_look import has_diverged
from yolox_attn.study.looks import (
    Look,
    claimed,
    next_look,
    open_variants,
    read_looks,
    words_of,
)
from yolox_attn.study.plan import ADDED_NAME, Plan, read_plan
from yolox_attn.study.planned_run import (
    FAULTY,
    PlannedRun,
    metrics_of,
    planned_runs,
    readable_record_of,
    reason_of,
    record_of,
    state_of,
)
from yolox_attn.study.slots import slowdown

STATES = ("trained", "running", "interrupted", "killed", "failed", "unreadable", "missing")
ENDED = ("finished", *FAULTY)


def status_text(folder: Path) -> str:
    """Return the plan's hash, a table of all runs, what failed and why, and what to type next.

    Raises:
        InputError: no plan there, or one of the study's own files cannot be read.
    """
    plan = read_plan(folder)
    jobs = planned_runs(plan, folder)
    states = [state_of(job) for job in jobs]
    looks = read_looks(plan, folder)
    lines = [
        f"study {folder}: plan {plan.hash[:12]} of {plan.created}, judged on {plan.split}",
        "",
        *_table(jobs, [_cell(job, state) for job, state in zip(jobs, states, strict=True)]),
        "",
        count_states(states),
        *(look_lines(plan, looks) if plan.stages else []),
        *(_rest_lines(plan, jobs, states, looks) if plan.stages else []),
        *problem_lines(jobs, states),
        f"next: {next_of(folder, jobs, states)}",
    ]
    return "\n".join(lines)


def _table(jobs: Sequence[PlannedRun], cells: Sequence[str]) -> list[str]:
    """Return a row a variant, a column a seed; empty where a variant is not trained with it."""
    rows: dict[str, dict[int, str]] = {}
    for job, cell in zip(jobs, cells, strict=True):
        rows.setdefault(job.variant.name, {})[job.seed] = cell
    seeds = list(dict.fromkeys(job.seed for job in jobs))
    table = [[name, *(row.get(seed, "") for seed in seeds)] for name, row in rows.items()]
    heads = ["variant", *(f"seed {seed}" for seed in seeds)]
    return tabulate(table, heads, disable_numparse=True).splitlines()


def look_lines(plan: Plan, looks: Sequence[Look]) -> list[str]:
    """Say how far a study in stages is: what is decided, what is open, and the next look's level.

    Neither differences nor p values: who knows them may stop for their sake.
    """
    assert plan.stages is not None
    number, every = next_look(plan, looks), plan.stages.looks
    lines = [f"decided: {line}" for line in words_of(plan, looks)]
    if number is None:
        return [f"{len(looks)} of {count(len(every), 'look')} taken, and the study is over", *lines]
    names = open_variants(plan, looks)
    level = plan.stages.levels[len(plan.stages.levels) - claimed(plan, looks) - 1][number - 1]
    return [
        f"{len(looks)} of {count(len(every), 'look')} taken; look {number} is at "
        f"{every[number - 1]} seeds a side, with the level {level:.4f} for the first claim",
        *lines,
        f"open: {', '.join(names)}",
    ]


def _rest_lines(
    plan: Plan, jobs: Sequence[PlannedRun], states: Sequence[str], looks: Sequence[Look]
) -> list[str]:
    """Say what the rest of a study in stages costs at most, and as is to be expected."""
    number = next_look(plan, looks)
    assert plan.stages is not None
    if number is None:
        return []
    rules = LookRules(plan.stages, number, claimed(plan, looks), plan.terms.sesoi)
    names, last = open_variants(plan, looks), plan.stages.looks[-1]
    others = len(plan.variants) - len([v for v in plan.variants if v.role == "variant"])
    done = plan.stages.looks[number - 2] if number > 1 else 0
    missing = sum(state not in ENDED for state in states)
    begun = plan.stages.looks[number - 1]
    most = missing + (last - begun) * (len(names) + others)
    line = f"the rest takes {count(most, 'run')} at most"
    sd = plan.expected.get("paired_sd")
    if sd and done < last:
        one, all_of_them = expected_seeds(rules, plan.terms.sesoi, float(sd), len(names))
        runs = missing + max(one - begun, 0) * len(names) + max(all_of_them - begun, 0) * others
        line += (
            f", about {math.ceil(runs)} if every open block had an effect of"
            f" {plan.terms.sesoi:g} AP and pairs differed by {sd:.2f} AP (SD)"
        )
    return [line]


def _cell(job: PlannedRun, state: str) -> str:
    """Return how far one run is: "AP 41.2", "epoch 3 of 10", "interrupted after 3 of 10"."""
    try:
        record = record_of(job)
        ap = metrics_of(job).get("AP") if state == "finished" else None
    except InputError:
        return state
    if record is None or state in ("failed", "missing"):
        return state
    if job.left_out is not None:
        return "left out"
    if state == "finished" and job.blind:
        return state
    if state == "finished":
        early = f", ended at epoch {record.epoch}" if record.stopped_early else ""
        return ("no AP" if ap is None else f"AP {100 * ap:.1f}") + early
    if state == "trained":
        return "trained, not evaluated"
    epochs = f"{record.epoch} of {record.config.get('max_epoch', '?')} epochs"
    return f"running, {epochs}" if state == "running" else f"{state} after {epochs}"


def count_states(states: Sequence[str]) -> str:
    """Return "5 of 6 runs finished, 1 failed"."""
    counted = Counter(states)
    parts = [f"{counted[state]} {state}" for state in STATES if counted[state]]
    return ", ".join([f"{counted['finished']} of {len(states)} runs finished", *parts])


def problem_lines(jobs: Sequence[PlannedRun], states: Sequence[str]) -> list[str]:
    """Name each run that failed, or cannot be read, or cannot be judged, with the reason."""
    lines = []
    for job, state in zip(jobs, states, strict=True):
        if state == "failed":
            lines.append(f"failed: {job.title}: {reason_of(job)}; log: {job.log}")
        elif state == "unreadable":
            lines.append(f"unreadable: {job.title}: {reason_of(job)}; {_remedy(job)}")
        elif state == "finished" and (fault := _unjudgeable(job)):
            lines.append(f"note: {job.title} {fault}: the report will leave it out")
    return lines


def _remedy(job: PlannedRun) -> str:
    if job.added is not None:
        return f"put it back as it was, or take {job.key} out of the study's {ADDED_NAME}"
    return f"fix it, or move {job.folder} away to train the run anew"


def _unjudgeable(job: PlannedRun) -> str | None:
    """Say why a finished run cannot be judged."""
    try:
        record, ap = record_of(job), metrics_of(job).get("AP")
    except InputError as error:
        return str(error)
    if record is not None and (early := record.stopped_early):
        return f"was ended by its validation split after epoch {early.get('epoch')} (patience)"
    return "has no AP" if ap is None else None


def next_of(folder: Path, jobs: Sequence[PlannedRun], states: Sequence[str]) -> str:
    """Return what to type next, of a study in stages too: what is left out asks for nothing."""
    left = [(job, state) for job, state in zip(jobs, states, strict=True) if job.left_out is None]
    states = [state for _, state in left]
    if not any(job.blind for job in jobs) or not set(states) <= {"finished", "failed"}:
        return next_step(folder, states)
    run = study_command("run", folder)
    if all(has_diverged(job) for job, state in left if state == "failed"):
        return run
    return f"{run} --retry, or --leave-out-failed: their pairs are then out for good"


def next_step(folder: Path, states: Sequence[str]) -> str:
    """Return what to type next in a study of one look, or of which the last look is judged."""
    run, report = (study_command(name, folder) for name in ("run", "report"))
    if "unreadable" in states:  # it may be finished: nothing here may lead to its being overwritten
        return f"fix what cannot be read (see above), then {run}"
    if set(states) == {"finished"}:
        return report
    if set(states) <= {"finished", "failed"}:
        return f"{run} --retry (runs again what failed), or {report}"
    if set(states) <= {"finished", "failed", "running"}:
        return f"wait for what is running, then {run}"
    return run


def start_line(job: PlannedRun, work: str, *, resumed: bool) -> str:
    """Say what a process was started for just now."""
    if work == "evaluate":
        return f"{job.title} is evaluated on test"
    record = readable_record_of(job)
    if resumed and record is not None:
        return f"{job.title} goes on after epoch {record.epoch}"
    return f"{job.title} starts"


def end_line(
    plan: Plan,
    ended: PlannedRun,
    jobs: Sequence[PlannedRun],
    slots: int,
    unsaid: Collection[str] = (),
) -> str:
    """Say how a run ended, how many of all `jobs` are left, and how long they will take.

    `slots` go on at a time; of those whose keys are `unsaid` the end has still to be said.
    """
    states = ["running" if job.key in unsaid else state_of(job) for job in jobs]
    left = [job for job, state in zip(jobs, states, strict=True) if state not in ENDED]
    state = state_of(ended)
    line = f"[{len(jobs) - len(left)}/{len(jobs)}] {ended.title} {_ending(ended, state)}"
    if not left:
        return line
    seconds = seconds_left(plan, jobs, states, slots)
    about = "" if seconds is None else f", about {duration(seconds)} left"
    return f"{line}; {len(left)} to go{about}"


def _ending(job: PlannedRun, state: str) -> str:
    """Return "finished: AP 41.2, 92 s", "failed: reason", "killed after 3 of 10 epochs"."""
    record = readable_record_of(job)
    if state in FAULTY:
        return f"{state}: {reason_of(job)}"
    if state == "finished" and record is not None and job.blind:
        return f"finished, {duration(record.seconds)}"
    if state == "finished" and record is not None:
        rise = rise_in_words(curve_of(read_metrics(job.folder)))
        remark = f", {rise}" if rise else ""
        return f"finished: {_cell(job, state)}, {duration(record.seconds)}{remark}"
    return _cell(job, state)


def seconds_left(
    plan: Plan, jobs: Sequence[PlannedRun], states: Sequence[str], slots: int
) -> float | None:
    """Return the wall time until all runs are done, `slots` at a time.

    A run takes what an epoch of its variant took in this study; where none is known yet, what the
    probe measured, else what an epoch of the other variants took. None where nothing is known.
    """
    records = [readable_record_of(job) for job in jobs]
    trained = [record for record in records if record is not None and record.epoch > 0]
    seconds = []
    for job, state, record in zip(jobs, states, records, strict=True):
        if state in ENDED:
            continue
        whole = _whole_run(plan, job.variant.name, trained, slots)
        if whole is None:
            return None
        share_done = 0.0 if record is None else min(record.epoch / max(_epochs(record), 1), 1.0)
        seconds.append(whole * (1 - share_done))
    return wall_time(seconds, slots)


def _whole_run(plan: Plan, variant: str, trained: Sequence[RunRecord], slots: int) -> float | None:
    """Return the seconds of a run of `variant` from its first epoch to its last."""
    own = [record for record in trained if record.name == variant]
    probed = plan.expected.get("seconds_of_a_run", {}).get(variant)
    if not own and probed is not None:
        return float(probed) * slowdown(plan.expected, slots)
    measured = own or trained
    if not measured:
        return None
    an_epoch = sum(each.seconds for each in measured) / sum(each.epoch for each in measured)
    return an_epoch * _epochs(measured[0])


def _epochs(record: RunRecord) -> int:
    """Return how many epochs a run has, or has had where its settings do not say it."""
    return int(record.config.get("max_epoch", record.epoch))

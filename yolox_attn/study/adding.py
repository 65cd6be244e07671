"""Runs made by hand become part of a study: what they are is seen in them, not in their names."""

import functools
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from yolox_attn.core.checkpoint import LATEST_NAME, file_hash
from yolox_attn.core.record import describe_attention, describe_config
from yolox_attn.errors import InputError
from yolox_attn.report.collect import Run, find_runs
from yolox_attn.report.collect import describe_attention as in_words
from yolox_attn.report.protocol import HARMLESS, protocol_differences
from yolox_attn.runs import COSMETIC, DETECTIONS_NAME, RECORD_NAME, RunRecord, hold, write_text
from yolox_attn.study.commands import check_unchanged
from yolox_attn.study.execute import BUSY
from yolox_attn.study.jobs import ADDED_NAME, Job, jobs, read_added, record_of, state_of
from yolox_attn.study.members import build_exp
from yolox_attn.study.plan import Plan, PlannedVariant, Training, read_plan


@dataclass(frozen=True)
class Wanted:
    """What a planned variant's record would say of its network and settings."""

    variant: PlannedVariant
    attention: dict[str, Any]
    init: str
    settings: dict[str, Any]


def add_runs(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Take runs made by hand into the study, all of them or none; return what each became.

    Nothing is copied and nothing in their folders is changed: added.json names the folder of each,
    and the sha256 of its run.json, so that a run that is another later on is not taken for it.

    Args:
        folder: of the study.
        paths: run folders, or folders of run folders.

    Raises:
        InputError: no plan, one of its files has changed, another process is at work in the study,
            or a run is not finished, not one of the plan's, or stands there already.
    """
    plan = read_plan(folder)
    check_unchanged(plan)
    with hold(folder, busy=BUSY):
        every = jobs(plan, folder)
        wanted = [_wanted(variant, plan.training) for variant in plan.variants]
        added, lines = read_added(folder), []
        for run in find_runs(paths):
            job = _job_of(run, plan, wanted, every)
            _refuse_taken(run, job, [each for each in every if each.key not in added], added)
            _refuse_other_protocol(run, every)
            where = run.folder.resolve()
            sha256 = file_hash(where / RECORD_NAME)
            added[job.key] = {"folder": str(where), "record_sha256": sha256}
            lines.append(f"{run.folder} is {job.title}")
        write_text(folder / ADDED_NAME, json.dumps(added, indent=2) + "\n")
    return lines


def mismatch(run_record: RunRecord, plan: Plan, variant: PlannedVariant) -> str | None:
    """Say why a run is no run of the planned variant: what it says was built, and trained how.

    Its name does not matter, and neither does what `COSMETIC` and `HARMLESS` list. None if it is
    as planned. The variant is built at the first call only.

    Raises:
        InputError: the planned variant itself cannot be built any more.
    """
    wanted = _wanted(variant, plan.training)
    if not _same_attention(run_record, wanted):
        return _other_attention(run_record, wanted)
    if run_record.seed not in plan.seeds:
        seeds = ", ".join(map(str, plan.seeds))
        return f"it has seed {run_record.seed}; the plan's are {seeds}"
    settings = _settings(run_record.config)
    facts = {key: (settings.get(key), value) for key, value in wanted.settings.items()}
    facts |= {key: (value, "absent") for key, value in settings.items() if key not in facts}
    facts |= _training_facts(run_record, plan)
    differing = [f"{key} {is_} (planned {w})" for key, (is_, w) in facts.items() if is_ != w]
    return ", ".join(differing) or None


@functools.cache
def _wanted(variant: PlannedVariant, training: Training) -> Wanted:
    exp = build_exp(variant, training)
    attention = describe_attention(exp, exp.get_model())
    return Wanted(variant, attention, exp.attention_init, _settings(describe_config(exp)))


def _settings(config: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in config.items()
        if key not in COSMETIC | HARMLESS and not key.startswith("attention")
    }


def _job_of(run: Run, plan: Plan, wanted: Sequence[Wanted], every: Sequence[Job]) -> Job:
    """Return the planned run that this one is."""
    planned = _planned(run, wanted).variant
    if why := mismatch(run.record, plan, planned):
        raise InputError(f"{run.folder} is not as planned: {why}")
    needed = DETECTIONS_NAME if plan.split == "val" else LATEST_NAME
    if not (run.folder / needed).is_file():
        raise InputError(f"{run.folder} has no {needed}, by which the study judges its runs")
    return next(job for job in every if (job.variant, job.seed) == (planned, run.record.seed))


def _planned(run: Run, wanted: Sequence[Wanted]) -> Wanted:
    """Return the variant that was really built; names decide only among the user's own blocks."""
    record = run.record
    alike = [each for each in wanted if _same_attention(record, each)]
    named = [each for each in alike if each.variant.name == record.name]
    if len(alike) != 1 and len(named) != 1:
        names = ", ".join(each.variant.name for each in wanted)
        raise InputError(
            f"{run.folder} holds attention {in_words(record)}, by its blocks, options and shapes "
            f"{'none' if not alike else 'more than one'} of the plan's variants ({names})"
        )
    return alike[0] if len(alike) == 1 else named[0]


def _same_attention(record: RunRecord, wanted: Wanted) -> bool:
    same_init = not wanted.attention or wanted.init == record.attention_init
    return wanted.attention == record.attention and same_init


def _other_attention(record: RunRecord, wanted: Wanted) -> str:
    planned = replace(record, attention=wanted.attention, attention_init=wanted.init)
    found, asked = in_words(record), in_words(planned)
    how = " with other options or shapes" if found == asked else ""
    return f"attention {found}{how} (planned {asked})"


def _training_facts(record: RunRecord, plan: Plan) -> dict[str, tuple[Any, Any]]:
    """Return name -> what the run's is, what the plan's is."""
    training = plan.training
    pretrained = (record.pretrained or {}).get("sha256")
    facts: dict[str, tuple[Any, Any]] = {
        "batch size": (record.batch_size, training.batch_size),
        "accumulate": (record.accumulate, training.accumulate),
        "processes": (record.processes, 1),
        "precision": (record.precision, training.precision),
        "checkpoint": (pretrained, training.checkpoint_sha256),
    }
    if plan.split == "val":
        facts["validation annotations"] = (record.data.get("val_sha256"), plan.truth_sha256)
    return facts


def _refuse_taken(run: Run, job: Job, own: Sequence[Job], added: dict[str, Any]) -> None:
    """Refuse a run whose place is taken, or that is in the study already."""
    if job.key in added:
        raise InputError(f"{run.folder}: {job.title} is {added[job.key]['folder']} already")
    if (state := state_of(job)) != "missing":
        raise InputError(f"{run.folder}: the study has its own {job.title}, which is {state}")
    for each in own:
        record = record_of(each)
        if record and (record.started, record.pid) == (run.record.started, run.record.pid):
            raise InputError(f"{run.folder} is a copy of the study's own {each.title}")


def _refuse_other_protocol(run: Run, every: Sequence[Job]) -> None:
    """Refuse a run that differs from the study's finished ones in what the plan does not say."""
    for job in every:
        record = record_of(job) if state_of(job) == "finished" else None
        if record is not None:
            if differing := protocol_differences(record, run.record):
                raise InputError(f"{run.folder} is unlike {job.title}: {differing}")
            return

"""Runs made by hand become part of a study: what they are is seen in them, not in their names."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from yolox_attn.core.checkpoint import LATEST_NAME
from yolox_attn.errors import InputError
from yolox_attn.report.load_runs import Run, attention_in_words, find_runs, run_folders
from yolox_attn.runs import DETECTIONS_NAME, RECORD_NAME, file_hash, hold, write_json
from yolox_attn.runs.protocol import comparable
from yolox_attn.study.eligibility import built_variant, mismatch, same_attention
from yolox_attn.study.plan import ADDED_NAME, Plan, PlannedVariant, check_unchanged, read_plan
from yolox_attn.study.planned_run import (
    Added,
    PlannedRun,
    planned_runs,
    read_added,
    record_of,
    state_of,
)
from yolox_attn.study.scheduler import BUSY


def add_runs(folder: Path, paths: Sequence[Path]) -> list[str]:
    """Take runs made by hand into the study, all of them or none; return what each became.

    `paths` are run folders, or folders of run folders. Nothing is copied and nothing there is
    changed: added.json names the folder of each run, and the sha256 of its run.json, so that a run
    that is another later on is not taken for it.

    Raises:
        InputError: no plan, one of its files has changed, another process is at work in the study,
            or a run is not finished, not one of the plan's, or in the study already.
    """
    plan = read_plan(folder)
    check_unchanged(plan)
    with hold(folder, busy=BUSY):
        jobs = planned_runs(plan, folder)
        added, lines = read_added(folder), []
        for run in find_runs(place for path in paths for place in run_folders(path)):
            job = _planned_run(run, plan, jobs)
            _refuse_taken(run, job, [each for each in jobs if each.key not in added], added)
            _refuse_other_protocol(run, jobs)
            place = run.folder.resolve()
            added[job.key] = Added(str(place), file_hash(place / RECORD_NAME))
            lines.append(f"{run.folder} is {job.title}")
        write_json(
            folder / ADDED_NAME, {key: dataclasses.asdict(each) for key, each in added.items()}
        )
    return lines


def _planned_run(run: Run, plan: Plan, jobs: Sequence[PlannedRun]) -> PlannedRun:
    """Return the planned run that this one is."""
    variant = _variant(run, plan)
    if why := mismatch(run.record, plan, variant):
        raise InputError(f"{run.folder} is not as planned: {why}")
    needed = DETECTIONS_NAME if plan.split == "val" else LATEST_NAME
    if not (run.folder / needed).is_file():
        raise InputError(f"{run.folder} has no {needed}, by which the study judges its runs")
    for job in jobs:
        if (job.variant, job.seed) == (variant, run.record.seed):
            return job
    raise InputError(
        f"{run.folder}: {variant.name} seed {run.record.seed} is not needed: the study is not "
        "at that look yet, or the variant is decided"
    )


def _variant(run: Run, plan: Plan) -> PlannedVariant:
    """Return the variant that was really built; names decide only among the user's own blocks."""
    alike = [
        each
        for each in plan.variants
        if same_attention(run.record, built_variant(each, plan.training))
    ]
    matching = alike if len(alike) == 1 else [each for each in alike if each.name == run.name]
    if len(matching) != 1:
        how_many, names = (
            "more than one" if alike else "none",
            [each.name for each in plan.variants],
        )
        raise InputError(
            f"{run.folder} holds attention {attention_in_words(run.record)}, by its blocks, "
            f"options and shapes {how_many} of the plan's variants ({', '.join(names)})"
        )
    return matching[0]


def _refuse_taken(
    run: Run, job: PlannedRun, own: Sequence[PlannedRun], added: Mapping[str, Added]
) -> None:
    """Refuse a run whose place is taken, or that is in the study already."""
    if job.key in added:
        raise InputError(f"{run.folder}: {job.title} is {added[job.key].folder} already")
    if (state := state_of(job)) != "missing":
        raise InputError(f"{run.folder}: the study has its own {job.title}, which is {state}")
    for each in own:
        record = record_of(each)
        if record and record.identity == run.record.identity:
            raise InputError(f"{run.folder} is a copy of the study's own {each.title}")


def _refuse_other_protocol(run: Run, jobs: Sequence[PlannedRun]) -> None:
    """Refuse a run that differs from the study's finished ones in what the plan does not say."""
    for job in jobs:
        record = record_of(job) if state_of(job) == "finished" else None
        if record is not None:
            if differing := comparable(record, run.record):
                raise InputError(f"{run.folder} is unlike {job.title}: {differing}")
            return

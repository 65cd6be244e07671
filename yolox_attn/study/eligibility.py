"""Which of a study's runs may be judged: ended well, as planned, and like the others."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.report import Run, find_runs
from yolox_attn.report.comparison import Dropped
from yolox_attn.report.load_runs import attention_in_words
from yolox_attn.runs import RunRecord
from yolox_attn.runs.protocol import as_planned, comparable
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.planned_run import PlannedRun, planned_runs, reason_of, state_of
from yolox_attn.study.variants import BuiltVariant, build_variant

SAME_VERSIONS = ("yolox_attn", "yolox", "torch", "torchvision")  # another one, another experiment


@functools.cache
def built_variant(variant: PlannedVariant, training: Training) -> BuiltVariant:
    """Build the variant, once, from its start: no checkpoint changes what its runs say of it.

    Raises:
        InputError: it cannot be built any more.
    """
    return build_variant(variant, replace(training, checkpoint=None))


def same_attention(record: RunRecord, built: BuiltVariant) -> bool:
    """Tell whether the run has the variant's attention, by blocks, options, shapes and start."""
    same_init = not built.attention or built.config["attention_init"] == record.attention_init
    return built.attention == record.attention and same_init


def eligible_runs(plan: Plan, folder: Path) -> tuple[list[Run], list[Dropped]]:
    """Return the plan's runs that may be judged, and those that may not, with the reason."""
    runs: list[Run] = []
    dropped: list[Dropped] = []
    for job in planned_runs(plan, folder):
        try:
            runs.append(_finished(job))
        except InputError as error:
            dropped.append(Dropped(job.variant.name, job.seed, str(error)))
    reasons = [
        why or copied for why, copied in zip(_reasons(runs, plan), _copies(runs), strict=True)
    ]
    dropped += [
        Dropped(run.name, run.record.seed, why)
        for run, why in zip(runs, reasons, strict=True)
        if why
    ]
    return [run for run, why in zip(runs, reasons, strict=True) if not why], dropped


def _copies(runs: Sequence[Run]) -> list[str]:
    """Say of each run whose copy, under another seed, it is; empty where it is one of its own."""
    seen: dict[tuple[object, ...], Run] = {}
    originals = [seen.setdefault(run.record.identity, run) for run in runs]
    return [
        "" if original is run else f"a copy of {original.title}"
        for run, original in zip(runs, originals, strict=True)
    ]


def _finished(job: PlannedRun) -> Run:
    """Return the planned run's files.

    Raises:
        InputError: it has not ended well, or has nothing to be judged by.
    """
    state = state_of(job)
    if job.left_out is not None:
        raise InputError(job.left_out)
    if state != "finished":
        reason = reason_of(job)
        raise InputError(f"{state}: {reason}" if reason else state)
    run = find_runs([job.folder])[0]
    if run.record.seed != job.seed:
        raise InputError(f"{job.folder} holds seed {run.record.seed}")
    record = replace(run.record, name=job.variant.name)
    return replace(run, record=record, evaluation=job.evaluation)


def _reasons(runs: Sequence[Run], plan: Plan) -> list[str]:
    """Say of each run why it cannot be judged with the others; empty where it can.

    It is not what the plan says; or, where the plan is silent, not what most of the runs are.
    """
    variants = {each.name: each for each in plan.variants}
    mismatches = [mismatch(run.record, plan, variants[run.name]) for run in runs]
    fine = [run for run, why in zip(runs, mismatches, strict=True) if not why]
    usual = _usual(fine) if fine else None
    return [
        f"not as planned: {why}" if why else _unlike(usual, run) if usual else ""
        for run, why in zip(runs, mismatches, strict=True)
    ]


def mismatch(record: RunRecord, plan: Plan, variant: PlannedVariant) -> str:
    """Say why a run is no run of the planned variant: what was built, and how it was trained.

    Its name does not matter, nor what `runs.protocol` overlooks here. Empty if it is as planned.

    Raises:
        InputError: as `built_variant`.
    """
    built = built_variant(variant, plan.training)
    if not same_attention(record, built):
        init = built.config["attention_init"]
        planned = replace(record, attention=built.attention, attention_init=init)
        ours, theirs = attention_in_words(record), attention_in_words(planned)
        how = " with other options or shapes" if ours == theirs else ""
        return f"attention {ours}{how} (planned {theirs})"
    if record.seed not in plan.seeds:
        return f"it has seed {record.seed}; the plan's are {', '.join(map(str, plan.seeds))}"
    training = plan.training
    facts: dict[str, tuple[Any, Any]] = {  # what the run has, what was planned
        "batch size": (record.batch_size, training.batch_size),
        "accumulate": (record.accumulate, training.accumulate),
        "processes": (record.processes, 1),
        "precision": (record.precision, training.precision),
        "checkpoint": ((record.pretrained or {}).get("sha256"), training.checkpoint_sha256),
    }
    if plan.split == "val":
        facts["validation annotations"] = (record.data.get("val_sha256"), plan.truth_sha256)
    return as_planned(record.config, built.config, facts)


def _usual(runs: Sequence[Run]) -> Run:
    """Return a run of the protocol that most runs share; of two equally common ones the first."""
    alike = Counter[int]()
    for place, run in enumerate(runs):
        same = (number for number, other in enumerate(runs) if not _unlike(other, run))
        alike[next(same, place)] += 1
    return runs[alike.most_common(1)[0][0]]


def _unlike(usual: Run, run: Run) -> str:
    if differing := comparable(usual.record, run.record):
        return f"unlike {usual.title}: {differing}"
    for package in SAME_VERSIONS:
        ours, theirs = (each.record.versions.get(package) for each in (usual, run))
        if ours != theirs:
            return f"another version of {package} than {usual.title}: {theirs}, not {ours}"
    return ""

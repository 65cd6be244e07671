"""Which of a study's runs may be judged: ended well, as planned, and like the others."""

import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from yolox_attn.core.describe import describe_attention, describe_config
from yolox_attn.errors import InputError
from yolox_attn.report import Run, find_runs
from yolox_attn.report.comparison import Dropped
from yolox_attn.report.load_runs import attention_in_words
from yolox_attn.runs import RunRecord
from yolox_attn.runs.protocol import as_planned, comparable
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.planned_run import PlannedRun, planned_runs, reason_of, state_of
from yolox_attn.study.variants import build_exp

SAME_VERSIONS = ("yolox_attn", "yolox", "torch", "torchvision")  # another one, another experiment


@dataclass(frozen=True)
class Expected:
    """What a planned variant's record would say of its network and settings."""

    attention: dict[str, Any]
    init: str
    config: dict[str, Any]

    def same_attention(self, record: RunRecord) -> bool:
        """Whether the run's network has this attention, by blocks, options, shapes and start."""
        same_init = not self.attention or self.init == record.attention_init
        return self.attention == record.attention and same_init


def eligible_runs(plan: Plan, folder: Path) -> tuple[list[Run], list[Dropped]]:
    """Return the plan's runs that may be judged, and those that may not, with the reason."""
    runs: list[Run] = []
    dropped: list[Dropped] = []
    for job in planned_runs(plan, folder):
        try:
            runs.append(_finished(job))
        except InputError as error:
            dropped.append(Dropped(job.variant.name, job.seed, str(error)))
    reasons = _why_not(runs, plan)
    dropped += [
        Dropped(run.name, run.record.seed, why)
        for run, why in zip(runs, reasons, strict=True)
        if why is not None
    ]
    return [run for run, why in zip(runs, reasons, strict=True) if why is None], dropped


def mismatch(record: RunRecord, plan: Plan, variant: PlannedVariant) -> str | None:
    """Say why a run is no run of the planned variant: what it says was built, and trained how.

    Its name does not matter, nor what `runs.protocol` overlooks here. None if it is as planned. The
    variant is built at the first call only.

    Raises:
        InputError: the planned variant itself cannot be built any more.
    """
    expected = expected_of(variant, plan.training)
    if not expected.same_attention(record):
        planned = replace(record, attention=expected.attention, attention_init=expected.init)
        ours, theirs = attention_in_words(record), attention_in_words(planned)
        how = " with other options or shapes" if ours == theirs else ""
        return f"attention {ours}{how} (planned {theirs})"
    if record.seed not in plan.seeds:
        return f"it has seed {record.seed}; the plan's are {', '.join(map(str, plan.seeds))}"
    return as_planned(record.config, expected.config, _training(record, plan)) or None


@functools.cache
def expected_of(variant: PlannedVariant, training: Training) -> Expected:
    """Return what the record of such a run would say."""
    exp = build_exp(variant, training)
    attention = describe_attention(exp, exp.get_model())
    return Expected(attention, exp.attention_init, describe_config(exp))


def _training(record: RunRecord, plan: Plan) -> dict[str, tuple[Any, Any]]:
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


def _finished(job: PlannedRun) -> Run:
    """Return the planned run's files.

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


def _why_not(runs: Sequence[Run], plan: Plan) -> list[str | None]:
    """Say of each run why it cannot be judged with the others.

    It is not what the plan says; or, where the plan is silent, not what most of the runs are.
    """
    variants = {each.name: each for each in plan.variants}
    found = [mismatch(run.record, plan, variants[run.name]) for run in runs]
    fine = [run for run, why in zip(runs, found, strict=True) if why is None]
    if not fine:
        return [f"not as planned: {why}" for why in found]
    usual = _usual(fine)
    return [
        f"not as planned: {why}" if why else _unlike(usual, run)
        for run, why in zip(runs, found, strict=True)
    ]


def _usual(runs: Sequence[Run]) -> Run:
    """Return a run of the protocol that most runs share; of two equally common ones the first."""
    alike = Counter[int]()
    for place, run in enumerate(runs):
        same = (k for k, other in enumerate(runs) if _unlike(other, run) is None)
        alike[next(same, place)] += 1
    return runs[alike.most_common(1)[0][0]]


def _unlike(usual: Run, run: Run) -> str | None:
    if differing := comparable(usual.record, run.record):
        return f"unlike {usual.title}: {differing}"
    for package in SAME_VERSIONS:
        ours, theirs = (each.record.versions.get(package) for each in (usual, run))
        if ours != theirs:
            return f"another version of {package} than {usual.title}: {theirs}, not {ours}"
    return None

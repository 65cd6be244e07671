"""The runs of a study: where each of them lies, and how far it is."""

import json
import platform
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.errors import InputError
from yolox_attn.runs import RECORD_NAME, RunRecord, held, read_record
from yolox_attn.study.ledger import Attempt, read_attempts
from yolox_attn.study.plan import Plan, PlannedVariant

RUNS, LOGS = "runs", "logs"  # folders of a study
ADDED_NAME = "added.json"
# A run that failed stays so until it is retried, one that cannot be read until somebody mends it:
# it may be finished. These go on by themselves.
RESUMABLE = ("interrupted", "killed")
UNFINISHED = ("missing", "trained", *RESUMABLE)
FAULTY = ("failed", "unreadable")


@dataclass(frozen=True)
class Job:
    """One planned run: a variant with a seed.

    Args:
        slot: its folder in the study.
        folder: where the run really is: the slot, or the folder of a run that was added.
        evaluation: where the test split's detections and figures belong; None if val judges.
        log: what its processes said.
        added_sha256: of an added run's record when it was added.
        last: how its last process ended, if one was ever started here.
    """

    variant: PlannedVariant
    seed: int
    slot: Path
    folder: Path
    evaluation: Path | None
    log: Path
    added_sha256: str | None = None
    last: Attempt | None = None

    @property
    def key(self) -> str:
        """What it is called in files of the study: "yolox_nano_cam/seed1"."""
        return key_of(self.variant.name, self.seed)

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        return f"{self.variant.name} seed {self.seed}"


def key_of(variant: str, seed: int) -> str:
    """Return the name of a variant's run with a seed, which is its folder below `runs` too."""
    return f"{variant}/seed{seed}"


def jobs(plan: Plan, folder: Path) -> list[Job]:
    """Return all runs of the study in the order in which they are made.

    Seed by seed, the baseline first: a study that ends early holds whole pairs.

    Raises:
        InputError: the ledger, or the list of added runs, cannot be read.
    """
    folder = folder.resolve()
    added = read_added(folder)
    last = {(each.variant, each.seed): each for each in read_attempts(folder)}
    return [
        _job(plan, folder, variant, seed, added=added, last=last)
        for seed in plan.seeds
        for variant in plan.variants
    ]


def _job(plan: Plan, folder: Path, variant: PlannedVariant, seed: int, **known: Any) -> Job:
    key = key_of(variant.name, seed)
    slot = folder / RUNS / key
    elsewhere = known["added"].get(key)
    return Job(
        variant=variant,
        seed=seed,
        slot=slot,
        folder=Path(elsewhere["folder"]) if elsewhere else slot,
        # Beside an added run nothing is written: its evaluation too belongs to the study.
        evaluation=slot / "eval_test" if plan.split == "test" else None,
        log=folder / LOGS / f"{variant.name}_seed{seed}.log",
        added_sha256=elsewhere["record_sha256"] if elsewhere else None,
        last=known["last"].get((variant.name, seed)),
    )


def read_added(folder: Path) -> dict[str, Any]:
    """Return key -> {"folder", "record_sha256"} of the runs that were added by hand.

    Raises:
        InputError: the file cannot be read.
    """
    path = folder / ADDED_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return {key: {**each, "folder": str(each["folder"])} for key, each in values.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path}: not a list of added runs: {error}") from error


def record_of(job: Job) -> RunRecord | None:
    """Return the run's record under its planned name; None if there is none.

    Raises:
        InputError: it cannot be read, or the run was added and is another by now.
    """
    path = job.folder / RECORD_NAME
    try:
        if job.added_sha256 is None and not (path.exists() or path.is_symlink()):
            return None
        record = read_record(job.folder)
        if job.added_sha256 is not None and file_hash(path) != job.added_sha256:
            raise InputError(f"{job.folder} was changed after it was added to the study")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return replace(record, name=job.variant.name)


def figures_of(job: Job) -> dict[str, float | None]:
    """Return the figures that judge a finished run: the record's, or the test split's.

    Raises:
        InputError: as `record_of`, or the evaluation cannot be read.
    """
    if job.evaluation is None:
        record = record_of(job)
        return record.figures if record else {}
    path = job.evaluation / "figures.json"
    try:
        figures: dict[str, float | None] = json.loads(path.read_text(encoding="utf-8"))["figures"]
        return dict(figures)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: not an evaluation: {error}") from error


def state_of(job: Job) -> str:
    """Tell how far a run is.

    "missing", "running" (a process, of this study or another, holds it), "interrupted" and
    "killed" (both go on with what was saved), "trained" (the test split is not evaluated yet),
    "finished", or "failed": what its record says, or how its last process here ended.
    "unreadable": there is a record, or an added run, which cannot be read or is another by now; it
    may well be a finished run, so nothing is ever started in its place.
    """
    try:
        record = record_of(job)
    except InputError:
        return "unreadable"
    if record is None:
        state = "running" if held(job.folder) else "missing"
    elif record.state == "finished":
        state = "finished" if _judged(job) else "trained"
    else:
        state = "killed" if _gone(job, record) else record.state
    return "failed" if state in UNFINISHED and job.last and job.last.failed else state


def reason_of(job: Job) -> str:
    """Say why a run failed or cannot be read, in one line; "" for any other."""
    if state_of(job) not in FAULTY:
        return ""
    try:
        record = record_of(job)
    except InputError as error:
        return str(error)
    if record is not None and record.state == "failed":
        return record.error or "its record does not say why"
    return (job.last.error if job.last else None) or "nobody knows why"


def _gone(job: Job, record: RunRecord) -> bool:
    """Tell that a "running" run is not, where the file system has no locks to see it by."""
    here = record.host is not None and record.host == platform.node()
    unlocked = record.state == "running" and held(job.folder) is None
    return unlocked and here and not psutil.pid_exists(record.pid)


def _judged(job: Job) -> bool:
    # figures.json is written last.
    return job.evaluation is None or (job.evaluation / "figures.json").is_file()

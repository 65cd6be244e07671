"""The planned runs of a study: where each lies, how far it is, and how its processes ended."""

import json
import platform
import re
import signal
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil

from yolox_attn.coco.evaluate import Metrics
from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.console import as_line
from yolox_attn.errors import InputError, Interrupted
from yolox_attn.runs import (
    RECORD_NAME,
    RunRecord,
    file_hash,
    held,
    read_json,
    read_json_lines,
    read_record,
    write_text,
)
from yolox_attn.runs.codec import convert
from yolox_attn.signals import signal_name
from yolox_attn.study.looks import left_out, next_look, read_looks, seeds_wanted
from yolox_attn.study.plan import ADDED_NAME, ATTEMPTS_NAME, RUNS, Plan, PlannedVariant

# Exit codes of a process that was stopped from outside: its run goes on where it was saved last.
CTRL_C = 130
STOPPED = {
    *(Interrupted.CODE, CTRL_C),
    *(-signal.Signals[name].value for name in ("SIGHUP", "SIGINT", "SIGTERM", "SIGKILL")
      if name in signal.Signals.__members__),
}  # fmt: skip
# A run that failed stays so until it is retried, one that cannot be read until somebody fixes it:
# it may be finished. These go on by themselves.
RESUMABLE = ("interrupted", "killed")
UNFINISHED = ("missing", "trained", *RESUMABLE)
FAULTY = ("failed", "unreadable")
ERROR_LINE = re.compile(r"^(error: .+|[\w.]*(?:Error|Exception): .+)$", re.MULTILINE)
LONGEST = 300  # characters kept of an error
TAIL = 64 * 1024  # bytes of a log that are searched for it
NO_REASON = "no error recorded"


@dataclass(frozen=True)
class Attempt:
    """One process, ended.

    Args:
        work: "train" or "evaluate".
        started, ended: with their zone, to the second.
        code: its exit code; minus a signal's number if that ended it.
        error: the last error that it reported, None if it did what it should.
    """

    variant: str
    seed: int
    work: str
    started: str
    ended: str
    code: int
    error: str | None = None

    @property
    def failed(self) -> bool:
        """It ended by a fault of its own; one that was stopped can go on."""
        return self.error is not None and self.code not in STOPPED


@dataclass(frozen=True)
class Added:
    """A run made by hand: its folder, and the sha256 of its run.json when it was added."""

    folder: str
    record_sha256: str


@dataclass(frozen=True)
class PlannedRun:
    """A variant with a seed.

    Args:
        study: the whole path of the study's folder.
        split: the one that judges.
        added: the run that was made by hand, if it is one.
        last: how its last process ended, if one was ever started here.
        blind: its AP is not shown while a look is to come: who sees it may stop for its sake.
        left_out: why a look had to do without it; it stays out for good.
    """

    variant: PlannedVariant
    seed: int
    study: Path
    split: str
    added: Added | None = None
    last: Attempt | None = None
    blind: bool = False
    left_out: str | None = None

    @property
    def key(self) -> str:
        """What it is called in files of the study: "yolox_nano_cam/seed1"."""
        return key_of(self.variant.name, self.seed)

    @property
    def title(self) -> str:
        """What it is called in a sentence."""
        return f"{self.variant.name} seed {self.seed}"

    @property
    def slot(self) -> Path:
        """Its folder in the study."""
        return self.study / RUNS / self.key

    @property
    def folder(self) -> Path:
        """Where the run really is: its slot, or the folder of a run that was added."""
        return self.slot if self.added is None else Path(self.added.folder)

    @property
    def evaluation(self) -> Path | None:
        """Where its evaluation on the test split belongs, an added run's too; None if val judges.

        Nothing is written into the folder of an added run.
        """
        return self.slot / "eval_test" if self.split == "test" else None

    @property
    def log(self) -> Path:
        """What its processes said."""
        return self.study / "logs" / f"{self.variant.name}_seed{self.seed}.log"


def key_of(variant: str, seed: int | None) -> str:
    """Return the name of a variant's run with a seed, which is its folder below `runs` too."""
    return f"{variant}/seed{seed}"


def planned_runs(plan: Plan, folder: Path) -> list[PlannedRun]:
    """Return all runs of the study in the order in which they are made.

    Seed by seed, the baseline first: a study that ends early holds whole pairs. Of a study in
    stages those up to the look that is to come, without the seeds that a decided block is spared.

    Raises:
        InputError: the list of attempts, of added runs or of looks cannot be read.
    """
    folder = folder.resolve()
    added = read_added(folder)
    last = {key_of(each.variant, each.seed): each for each in read_attempts(folder)}
    wanted = {each.name: len(plan.seeds) for each in plan.variants}
    blind, out = False, {}
    if plan.stages is not None:
        looks = read_looks(plan, folder)
        wanted, blind, out = (
            seeds_wanted(plan, looks),
            bool(next_look(plan, looks)),
            left_out(looks),
        )
    jobs = (
        PlannedRun(variant, seed, folder, plan.split, blind=blind)
        for place, seed in enumerate(plan.seeds)
        for variant in plan.variants
        if place < wanted[variant.name]
    )
    return [
        replace(job, added=added.get(job.key), last=last.get(job.key), left_out=out.get(job.key))
        for job in jobs
    ]


def read_added(folder: Path) -> dict[str, Added]:
    """Return the runs that were added by hand, by their keys.

    Raises:
        InputError: the file cannot be read.
    """
    path = folder / ADDED_NAME
    return read_json(path, dict[str, Added], "a list of added runs") if path.exists() else {}


def read_attempts(folder: Path) -> list[Attempt]:
    """Return the attempts in their order; empty before the first.

    Raises:
        InputError: a line is no attempt.
    """
    return read_json_lines(folder / ATTEMPTS_NAME, Attempt, "an attempt")


def record_attempt(folder: Path, attempt: Attempt) -> None:
    """Add a line to attempts.jsonl; only for who holds the study."""
    path = folder / ATTEMPTS_NAME
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    write_text(path, before + json.dumps(asdict(attempt)) + "\n")


def error_of(code: int, log: Path, start: int) -> str | None:
    """Say why a process ended with `code`: by a signal, or by the log from byte `start` on."""
    if code == 0:
        return None
    if code < 0:
        return f"ended by {signal_name(-code)}"
    with log.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(start, size - TAIL))
        text = file.read().decode(errors="replace")
    errors = ERROR_LINE.findall(text) or [line for line in text.splitlines() if line.strip()]
    error = errors[-1].strip() if errors else f"exit code {code}, and it said nothing"
    return error[:LONGEST].removeprefix("error: ")


def record_of(job: PlannedRun) -> RunRecord | None:
    """Return the run's record under its planned name; None if there is none.

    Raises:
        InputError: it cannot be read, or the run was added and is another by now.
    """
    path = job.folder / RECORD_NAME
    try:
        if job.added is None and not (path.exists() or path.is_symlink()):
            return None
        record = read_record(job.folder)
        if job.added is not None and file_hash(path) != job.added.record_sha256:
            raise InputError(f"{job.folder} was changed after it was added to the study")
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    return replace(record, name=job.variant.name)


def readable_record_of(job: PlannedRun) -> RunRecord | None:
    """Return the run's record under its planned name; None if it is missing or cannot be read."""
    try:
        return record_of(job)
    except InputError:
        return None


def metrics_of(job: PlannedRun) -> Metrics:
    """Return the metrics that judge a finished run: the record's, or the test split's.

    Raises:
        InputError: as `record_of`, or the evaluation cannot be read.
    """
    if job.evaluation is None:
        record = record_of(job)
        return record.metrics if record else {}
    path, what = job.evaluation / EVALUATION_NAME, "an evaluation"
    return convert(read_json(path, dict[str, Any], what).get("metrics"), Metrics, str(path), what)


def state_of(job: PlannedRun) -> str:
    """Return how far a run is.

    "missing", "running" (a process, of this study or another, holds it), "interrupted" and
    "killed" (both go on with what was saved), "trained" (the test split is not evaluated yet),
    "finished", or "failed": by its record, or by how its last process here ended.
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
        state = "finished" if _is_judged(job) else "trained"
    else:
        state = "killed" if _is_gone(job, record) else record.state
    return "failed" if state in UNFINISHED and job.last and job.last.failed else state


def reason_of(job: PlannedRun) -> str:
    """Say why a run failed or cannot be read, in one line; "" for any other."""
    if state_of(job) not in FAULTY:
        return ""
    try:
        record = record_of(job)
    except InputError as error:
        return as_line(str(error))
    if record is not None and record.state == "failed":
        return as_line(record.error or NO_REASON)
    return as_line((job.last.error if job.last else None) or NO_REASON)


def _is_gone(job: PlannedRun, record: RunRecord) -> bool:
    """Tell that a "running" run is not, where the file system has no locks to see it by."""
    here = record.host is not None and record.host == platform.node()
    unlocked = record.state == "running" and held(job.folder) is None
    return unlocked and here and not psutil.pid_exists(record.pid)


def _is_judged(job: PlannedRun) -> bool:
    # evaluation.json is written last.
    return job.evaluation is None or (job.evaluation / EVALUATION_NAME).is_file()

"""One process that works for a run of a study: from its command to how it ended."""

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace

from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.core.describe import now
from yolox_attn.runs import open_log
from yolox_attn.study.commands import work_of
from yolox_attn.study.plan import Plan
from yolox_attn.study.planned_run import Attempt, PlannedRun, error_of, state_of

Command = Callable[[Plan, PlannedRun, str], list[str]]  # the str is the device
DONE = {"train": ("finished", "trained"), "evaluate": ("finished",)}  # what each shall lead to


@dataclass(frozen=True)
class Worker:
    """A process that works for a run just now.

    Args:
        work: "train" or "evaluate".
        started: when.
        resumed: it goes on with what was saved.
        log_start: the byte of the run's log at which its own words begin.
    """

    job: PlannedRun
    work: str
    process: subprocess.Popen[bytes]
    started: str
    resumed: bool
    log_start: int


def start_worker(plan: Plan, job: PlannedRun, device: str, command: Command) -> Worker:
    """Start what the run needs next; all that it says goes into the run's log, after its command.

    It gets a session of its own: Ctrl-C reaches it through the study, and not a second time.
    """
    work, words = work_of(job), command(plan, job, device)
    if work == "train" and job.evaluation is not None:  # of an older training
        (job.evaluation / EVALUATION_NAME).unlink(missing_ok=True)
    threads = {"OMP_NUM_THREADS": str(plan.training.threads)}
    started = now()
    with open_log(job.log) as log:
        log.write(f"{started} {shlex.join(words)}\n".encode())
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | threads,
            start_new_session=True,
        )
        fresh = replace(job, last=None)  # how an older process ended does not count any more
        return Worker(fresh, work, process, started, "--resume" in words, log.tell())


def attempt_of(worker: Worker) -> Attempt:
    """Return how a process ended that has ended."""
    job, code = worker.job, worker.process.returncode
    error, state = error_of(code, job.log, worker.log_start), state_of(job)
    if code == 0 and state not in DONE[worker.work]:
        error = f"{worker.work} ended with exit code 0, but the run is {state}"
    ended = now()
    return Attempt(job.variant.name, job.seed, worker.work, worker.started, ended, code, error)

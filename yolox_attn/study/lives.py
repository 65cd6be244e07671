"""One process that works for a run of a study: from its command to its line in the ledger."""

import os
import shlex
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace

from yolox_attn.core.record import now
from yolox_attn.study.commands import work_of
from yolox_attn.study.jobs import Job, state_of
from yolox_attn.study.ledger import Attempt, error_of
from yolox_attn.study.plan import Plan

Command = Callable[[Plan, Job, str], list[str]]
DONE = {"train": ("finished", "trained"), "evaluate": ("finished",)}  # what each shall lead to


@dataclass(frozen=True)
class Life:
    """A process that works for a run just now.

    Args:
        work: "train" or "evaluate".
        started: when.
        resumed: it goes on with what was saved.
        start: the byte of the run's log at which its own words begin.
    """

    job: Job
    work: str
    process: subprocess.Popen[bytes]
    started: str
    resumed: bool
    start: int


def begin(plan: Plan, job: Job, device: str, command: Command) -> Life:
    """Start what the run needs next; all that it says goes into the run's log, behind its command.

    It gets a session of its own: Ctrl-C reaches it through the study, and not a second time.
    """
    work, words = work_of(job), command(plan, job, device)
    if work == "train" and job.evaluation is not None:  # of an older training
        (job.evaluation / "figures.json").unlink(missing_ok=True)
    threads = {"OMP_NUM_THREADS": str(plan.training.threads)}
    job.log.parent.mkdir(parents=True, exist_ok=True)
    started = now()
    with job.log.open("ab") as log:
        log.write(f"{started} {shlex.join(words)}\n".encode())
        log.flush()
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | threads,
            start_new_session=True,
        )
        fresh = replace(job, last=None)  # how an older process ended does not count any more
        return Life(fresh, work, process, started, "--resume" in words, log.tell())


def attempt_of(life: Life) -> Attempt:
    """Return the ledger's line of a process that has ended."""
    code = life.process.returncode
    error = error_of(code, life.job.log, life.start)
    state = state_of(life.job)
    if code == 0 and state not in DONE[life.work]:
        error = f"{life.work} ended with exit code 0, but the run is {state}"
    return Attempt(
        variant=life.job.variant.name,
        seed=life.job.seed,
        work=life.work,
        started=life.started,
        ended=now(),
        code=code,
        error=error,
    )

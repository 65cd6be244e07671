"""Runs what is missing of a study: a process for each run, several at a time."""

import time
from functools import partial
from pathlib import Path
from types import FrameType

from yolox_attn.console import echo, say_at_once
from yolox_attn.core.boards import check_board
from yolox_attn.core.options import wandb_words
from yolox_attn.errors import InputError, Interrupted
from yolox_attn.runs import hold
from yolox_attn.signals import handled, signal_name
from yolox_attn.study.commands import next_command, work_of
from yolox_attn.study.judge_look import has_diverged, judge_look
from yolox_attn.study.looks import Look, next_look, read_looks
from yolox_attn.study.plan import Plan, check_unchanged, read_plan
from yolox_attn.study.planned_run import (
    FAULTY,
    UNFINISHED,
    PlannedRun,
    planned_runs,
    record_attempt,
    state_of,
)
from yolox_attn.study.slots import choose_slots
from yolox_attn.study.status import (
    count_states,
    end_line,
    look_lines,
    next_of,
    problem_lines,
    start_line,
)
from yolox_attn.study.worker import Command, Worker, attempt_of, start_worker

POLL = 0.05  # seconds
BUSY = "another `study run` or `study add` is at work there; wait for it"


def run_study(  # noqa: PLR0913 - the command line's flags
    folder: Path,
    *,
    parallel: int | None = None,
    device: str = "auto",
    retry: bool = False,
    leave_out_failed: bool = False,
    until_look: int | None = None,
    logger: str = "tensorboard",
    command: Command | None = None,
) -> int:
    """Run what the study in `folder` has not finished; return the exit code.

    0: all is finished. 1: a run failed or cannot be read; the others were run all the same. 75:
    stopped by SIGTERM or Ctrl-C, or a run was stopped by others or is still theirs: to be called
    again. With `retry` what failed is run again. `logger` shows the runs' curves; `command` makes
    the command of a run, by default `next_command`.

    A study in stages is judged at each look, goes on with what is open, and ends with its last
    look, or after `until_look`. A run that failed keeps it from its look, unless it diverged,
    which is a result, or `leave_out_failed`: then its pair is out for good.

    Raises:
        InputError: no plan, one of its files has changed, another process is running the study,
            there is no such look, or what `check_board` says of the logger.
    """
    plan = read_plan(folder)
    devices = choose_slots(plan, parallel, device)
    check_board(logger, wandb_words(plan.training.overrides))
    last = len(plan.stages.looks) if plan.stages else 0
    if until_look is not None and not 1 <= until_look <= last:
        has = f"looks 1 to {last}" if last else "no looks: it is judged once, with all seeds"
        raise InputError(f"--until-look {until_look}: the study has {has}")
    with hold(folder, busy=BUSY):
        command = command or partial(next_command, logger=logger)
        scheduler = Scheduler(plan, folder, devices, retry=retry, command=command)
        scheduler.run()
        while scheduler.judge_look(until_look or last, leave_out_failed=leave_out_failed):
            scheduler.run()
        return scheduler.conclude(until_look or last)


class Scheduler:
    """One call of `study run`: which runs it has started, and which of them go on just now.

    A signal is passed on to every run as SIGTERM, as often as it comes: a run that is saving is
    not disturbed by the second one, and one that is starting or evaluating ends at once.
    """

    def __init__(
        self, plan: Plan, folder: Path, devices: list[str], *, retry: bool, command: Command
    ) -> None:
        self.plan, self.folder, self.devices = plan, folder, devices
        self.wanted = (*UNFINISHED, "failed") if retry else UNFINISHED
        self.command = command
        self.workers: dict[int, Worker] = {}  # by slot
        self.taken: set[str] = set()
        self.left_alone: set[str] = set()
        self.stopped_by: str | None = None

    def run(self) -> None:
        """Start runs and wait for them until there is nothing left, or somebody wants to stop."""
        check_unchanged(self.plan)
        with handled(self._stop):
            try:
                self._fill_slots()
                while self.workers:
                    time.sleep(POLL)
                    codes = {slot: worker.process.poll() for slot, worker in self.workers.items()}
                    for slot in [slot for slot, code in codes.items() if code is not None]:
                        self._end(slot)
                        self._fill_slots()
            finally:  # nothing is left by now, unless this very program fails
                self._ask_to_stop()
                for worker in self.workers.values():
                    worker.process.wait()

    def judge_look(self, until: int, *, leave_out_failed: bool) -> bool:
        """Judge the next look, up to `until`, if all its runs have ended; return if more is to run.

        Raises:
            InputError: as the function of this name.
        """
        number = next_look(self.plan, looks) if (looks := self._looks()) is not None else None
        if number is None or number > until or self.stopped_by:
            return False
        jobs = [job for job in planned_runs(self.plan, self.folder) if job.left_out is None]
        states = {job.key: state_of(job) for job in jobs}
        failed = [job for job in jobs if states[job.key] == "failed" and not has_diverged(job)]
        if not set(states.values()) <= {"finished", "failed"} or (failed and not leave_out_failed):
            return False
        echo(f"look {number}: {count_states(list(states.values()))}; judging", err=True)
        with handled(self._stop):
            look = judge_look(
                self.plan,
                self.folder,
                lambda line: echo(line, err=True),
                leave_out=leave_out_failed,
            )
        for line in look_lines(self.plan, [*(looks or ()), look]):
            echo(line, err=True)
        return number < until and next_look(self.plan, self._looks() or []) is not None

    def conclude(self, until: int = 0) -> int:
        """Say how far the study is and what to type next; return the exit code.

        Of a study in stages look `until` is as far as was wanted.
        """
        jobs = planned_runs(self.plan, self.folder)
        states = [state_of(job) for job in jobs]
        for line in problem_lines(jobs, states):
            echo(line, err=True)
        stopped = f"stopped ({self.stopped_by}): " if self.stopped_by else ""
        step = next_of(self.folder, jobs, states)
        echo(f"{stopped}{count_states(states)}; next: {step}", err=True)
        if (looks := self._looks()) is not None and self.stopped_by is None:
            if len(looks) >= until or next_look(self.plan, looks) is None:
                return 0
            states = [state for job, state in zip(jobs, states, strict=True) if not job.left_out]
        if self.stopped_by is None and not set(FAULTY).isdisjoint(states):
            return 1
        return 0 if set(states) == {"finished"} else Interrupted.CODE

    def _looks(self) -> list[Look] | None:
        """Return the looks that were judged; None of a study that has none."""
        return None if self.plan.stages is None else read_looks(self.plan, self.folder)

    def _fill_slots(self) -> None:
        for slot in range(len(self.devices)):
            if slot in self.workers or self.stopped_by:
                continue
            if (job := self._next_job()) is None:
                return
            self.taken.add(job.key)
            self._start(slot, job)

    def _next_job(self) -> PlannedRun | None:
        for job in planned_runs(self.plan, self.folder):
            if job.key in self.taken or job.left_out is not None:
                continue
            state = state_of(job)
            if state == "running" and job.key not in self.left_alone:
                self.left_alone.add(job.key)
                echo(f"{job.title}: another process is training it; left alone", err=True)
            if state == "failed" and self.plan.stages is not None and has_diverged(job):
                continue  # a result: another try might end otherwise
            # An added run is judged, never trained.
            if state in self.wanted and (job.added is None or work_of(job) == "evaluate"):
                return job
        return None

    def _start(self, slot: int, job: PlannedRun) -> None:
        check_unchanged(self.plan)  # again: hours may have passed
        device = self.devices[slot]
        worker = start_worker(self.plan, job, device, self.command)
        self.workers[slot] = worker
        if self.stopped_by:  # while it was being started
            self._ask_to_stop()
        echo(f"{start_line(job, worker.work, resumed=worker.resumed)}, device {device}", err=True)

    def _end(self, slot: int) -> None:
        """Record how a process ended; a run that is trained goes on to its evaluation."""
        worker = self.workers.pop(slot)
        attempt = attempt_of(worker)
        if attempt.code and state_of(worker.job) == "running":
            echo(f"{worker.job.title}: another process is training it; left alone", err=True)
            return
        record_attempt(self.folder, attempt)
        jobs = planned_runs(self.plan, self.folder)
        job = next(each for each in jobs if each.key == worker.job.key)
        if state_of(job) == "trained" and not self.stopped_by:
            self._start(slot, job)
        else:
            going = {each.job.key for each in self.workers.values()}
            echo(end_line(self.plan, job, jobs, len(self.devices), going), err=True)

    def _ask_to_stop(self) -> None:
        for worker in list(self.workers.values()):
            worker.process.terminate()  # does nothing to one that has ended

    def _stop(self, number: int, _: FrameType | None) -> None:
        self.stopped_by = self.stopped_by or signal_name(number)
        self._ask_to_stop()
        say_at_once(f"{self.stopped_by}: {len(self.workers)} runs are saving ...")

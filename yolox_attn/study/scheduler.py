"""Runs what is missing of a study: a process for each run, several at a time."""

import time
from pathlib import Path
from types import FrameType

import psutil

from yolox_attn.console import echo, say_at_once
from yolox_attn.core.signals import handled, signal_name
from yolox_attn.device import devices_for_runs, pick_device
from yolox_attn.errors import InputError, Interrupted
from yolox_attn.machine import usable_cores
from yolox_attn.runs import hold
from yolox_attn.study.commands import next_command, work_of
from yolox_attn.study.plan import Plan, check_unchanged, read_plan
from yolox_attn.study.planned_run import (
    FAULTY,
    UNFINISHED,
    PlannedRun,
    planned_runs,
    record_attempt,
    state_of,
)
from yolox_attn.study.status import count_states, end_line, next_step, problem_lines, start_line
from yolox_attn.study.worker import Command, Worker, attempt_of, start_worker

POLL = 0.05  # seconds
BUSY = "another `study run` or `study add` is at work there; wait for it"


def run_study(
    folder: Path,
    *,
    parallel: int | None = None,
    device: str = "auto",
    retry: bool = False,
    command: Command = next_command,
) -> int:
    """Run what the study in `folder` has not finished; return the exit code.

    0: all is finished. 1: a run failed or cannot be read; the others were run all the same. 75:
    stopped by SIGTERM or Ctrl-C, or a run was stopped by others or is still theirs: to be called
    again. With `retry` what failed is run again; `command` makes the command of a run.

    Raises:
        InputError: no plan, one of its files has changed, or another process is running the study.
    """
    plan = read_plan(folder)
    devices = choose_slots(plan, parallel, device)
    with hold(folder, busy=BUSY):
        scheduler = Scheduler(plan, folder, devices, retry=retry, command=command)
        scheduler.run()
        return scheduler.conclude()


def choose_slots(plan: Plan, parallel: int | None = None, device: str = "auto") -> list[str]:
    """Return the device of each run that may go on at a time.

    By default one run a CUDA device; on a CPU as many as its cores and its free memory allow.

    Raises:
        InputError: there is no such device, or `parallel` is below 1.
    """
    if parallel is not None and parallel < 1:
        raise InputError(f"--max-parallel {parallel}: at least 1")
    devices = devices_for_runs(device)
    if parallel is None:
        parallel = len(devices)
        if pick_device(devices[0]).type == "cpu":
            parallel = runs_on_cpu(plan, usable_cores(), psutil.virtual_memory().available)
    return [devices[number % len(devices)] for number in range(parallel)]


def runs_on_cpu(plan: Plan, cores: int, memory: int) -> int:
    """Return how many runs `cores` and `memory` free bytes are enough for, at least 1.

    A run takes the plan's threads and, if `plan.expected` has it, its "memory" in bytes.
    """
    fitting = cores // plan.training.threads
    if needed := plan.expected.get("memory"):
        fitting = min(fitting, int(memory // needed))
    return max(fitting, 1)


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

    def conclude(self) -> int:
        """Say how far the study is and what to type next; return the exit code."""
        jobs = planned_runs(self.plan, self.folder)
        states = [state_of(job) for job in jobs]
        for line in problem_lines(jobs, states):
            echo(line, err=True)
        stopped = f"stopped ({self.stopped_by}): " if self.stopped_by else ""
        echo(f"{stopped}{count_states(states)}; next: {next_step(self.folder, states)}", err=True)
        if self.stopped_by is None and not set(FAULTY).isdisjoint(states):
            return 1
        return 0 if set(states) == {"finished"} else Interrupted.CODE

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
            if job.key in self.taken:
                continue
            state = state_of(job)
            if state == "running" and job.key not in self.left_alone:
                self.left_alone.add(job.key)
                echo(f"{job.title}: another process is training it; left alone", err=True)
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

"""What is missing of a study is run: a process for each run, several at a time."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from yolox_attn.errors import Interrupted
from yolox_attn.runs import hold
from yolox_attn.study.commands import check_unchanged, next_command, work_of
from yolox_attn.study.jobs import FAULTY, UNFINISHED, Job, jobs, state_of
from yolox_attn.study.ledger import record_attempt
from yolox_attn.study.lives import Command, Life, attempt_of, begin
from yolox_attn.study.plan import Plan, read_plan
from yolox_attn.study.progress import end_line, start_line
from yolox_attn.study.slots import choose_slots
from yolox_attn.study.status import count_states, next_step, problem_lines

SIGNALS = (signal.SIGTERM, signal.SIGINT)
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
    again.

    Args:
        folder: of the study.
        parallel: runs at a time; by default what `choose_slots` says.
        device: auto, cpu, cuda, cuda:N or mps.
        retry: run again what failed.
        command: plan, run and device -> what is typed for it.

    Raises:
        InputError: no plan, one of its files has changed, or another process is running the study.
    """
    plan = read_plan(folder)
    devices = choose_slots(plan, parallel, device)
    with hold(folder, busy=BUSY):
        execution = Execution(plan, folder, devices, retry=retry, command=command)
        execution.run()
        return execution.conclude()


class Execution:
    """One call of `study run`: which runs it has taken up, and which of them go on just now.

    A signal is passed on to every run as SIGTERM, as often as it comes: a run that is saving is
    not disturbed by the second one, and one that is starting or evaluating ends at once.
    """

    def __init__(
        self, plan: Plan, folder: Path, devices: list[str], *, retry: bool, command: Command
    ) -> None:
        self.plan, self.folder, self.devices = plan, folder, devices
        self.wanted = (*UNFINISHED, "failed") if retry else UNFINISHED
        self.command = command
        self.lives: dict[int, Life] = {}  # by slot
        self.taken: set[str] = set()
        self.left_alone: set[str] = set()
        self.stopped_by: str | None = None

    def run(self) -> None:
        """Start runs and wait for them until there is nothing left, or somebody wants to stop."""
        check_unchanged(self.plan)
        with self._listening():
            try:
                self._fill_slots()
                while self.lives:
                    time.sleep(POLL)
                    polled = {slot: life.process.poll() for slot, life in self.lives.items()}
                    for slot in (slot for slot, code in polled.items() if code is not None):
                        self._end(slot)
                        self._fill_slots()
            finally:  # nothing is left by now, unless this very program fails
                self._ask_to_stop()
                for life in self.lives.values():
                    life.process.wait()

    def conclude(self) -> int:
        """Say how far the study is and what to type next; return the exit code."""
        every = jobs(self.plan, self.folder)
        states = [state_of(job) for job in every]
        for line in problem_lines(every, states):
            tell(line)
        stopped = f"stopped ({self.stopped_by}): " if self.stopped_by else ""
        tell(f"{stopped}{count_states(states)}; next: {next_step(self.folder, states)}")
        if self.stopped_by is None and not set(FAULTY).isdisjoint(states):
            return 1
        return 0 if set(states) == {"finished"} else Interrupted.CODE

    def _fill_slots(self) -> None:
        for slot in range(len(self.devices)):
            if slot in self.lives or self.stopped_by:
                continue
            if (job := self._next_job()) is None:
                return
            self.taken.add(job.key)
            self._begin(slot, job)

    def _next_job(self) -> Job | None:
        for job in jobs(self.plan, self.folder):
            if job.key in self.taken:
                continue
            state = state_of(job)
            if state == "running" and job.key not in self.left_alone:
                self.left_alone.add(job.key)
                tell(f"{job.title}: another process is training it; left alone")
            # An added run is judged, never trained.
            if state in self.wanted and (job.added_sha256 is None or work_of(job) == "evaluate"):
                return job
        return None

    def _begin(self, slot: int, job: Job) -> None:
        check_unchanged(self.plan)  # again: hours may have passed
        life = begin(self.plan, job, self.devices[slot], self.command)
        self.lives[slot] = life
        if self.stopped_by:  # while it was being started
            self._ask_to_stop()
        tell(f"{start_line(job, life.work, resumed=life.resumed)}, device {self.devices[slot]}")

    def _end(self, slot: int) -> None:
        """Take down how a process ended; a run that is trained goes on to its evaluation."""
        life = self.lives.pop(slot)
        attempt = attempt_of(life)
        if attempt.code and state_of(life.job) == "running":
            tell(f"{life.job.title}: another process is training it; left alone")
            return
        record_attempt(self.folder, attempt)
        every = jobs(self.plan, self.folder)
        job = next(each for each in every if each.key == life.job.key)
        if state_of(job) == "trained" and not self.stopped_by:
            self._begin(slot, job)
        else:
            tell(end_line(self.plan, job, every, len(self.devices)))

    def _ask_to_stop(self) -> None:
        for life in list(self.lives.values()):
            life.process.terminate()  # does nothing to one that has ended

    @contextmanager
    def _listening(self) -> Iterator[None]:
        def stop(number: int, _: FrameType | None) -> None:
            self.stopped_by = self.stopped_by or signal.Signals(number).name
            # Neither print nor logging may be entered from a handler.
            os.write(2, f"{self.stopped_by}: {len(self.lives)} runs are saving ...\n".encode())
            self._ask_to_stop()

        # What a shell has set to be ignored, as Ctrl-C of a job in the background, stays so.
        heard = [each for each in SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
        before = {number: signal.signal(number, stop) for number in heard}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def tell(line: str) -> None:
    """Say `line` on stderr at once."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201

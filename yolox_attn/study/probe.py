"""A variant timed as a run of its own would be, by processes that take a few real steps."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from tempfile import TemporaryFile
from threading import Event, Timer
from typing import TextIO

from yolox_attn.signals import unwinding
from yolox_attn.study.plan import PlannedVariant, Training

LIMIT = 300  # seconds after which a probe is given up
READY = "ready"  # what a probe's process says before it measures


@dataclass(frozen=True)
class Probe:
    """What one run of a variant will take; seconds and bytes.

    Args:
        startup: until the first step.
        step: of a training step, at the mean of the sizes that it is trained at.
        image: of one evaluated image.
        steps: of a run; images: that a run evaluates, all its evaluations together.
        memory: the most that was held, on the device where that is CUDA.
        device: where it was timed.
    """

    startup: float
    step: float
    image: float
    steps: int
    images: int
    memory: int | None
    device: str

    @property
    def seconds(self) -> float:
        """Of a whole run."""
        return self.startup + self.steps * self.step + self.images * self.image


def probe(  # noqa: PLR0913 - of what, and how many at a time
    variant: PlannedVariant,
    training: Training,
    split: str,
    device: str,
    count: int = 1,
    limit: float = LIMIT,
) -> Probe | str:
    """Time the variant as a run of its own would be; where it fails, return why, in one line.

    With a `count` above 1 as many are timed at the same time: the answer is that of the slowest, or
    why one of them failed.
    """
    request = json.dumps([asdict(variant), asdict(training), split, device])
    threads = {"OMP_NUM_THREADS": str(training.threads)}
    processes: list[subprocess.Popen[str]] = []
    with unwinding(), ExitStack() as stack:
        logs = [stack.enter_context(TemporaryFile("w+")) for _ in range(count)]
        stack.callback(_end, processes)
        try:
            for log in logs:
                processes.append(_timing_process(threads, log))
        except OSError as error:  # no more processes, no more memory
            return f"cannot be started: {error.strerror}"
        late = Event()
        timer = Timer(limit, _kill, [processes, late])
        stack.callback(timer.cancel)
        timer.start()
        answers = _measured_together(processes, logs, request)
        if late.is_set():
            return f"not done after {limit:g} s"
    failed = next((answer for answer in answers if isinstance(answer, str)), None)
    timed = [answer for answer in answers if isinstance(answer, Probe)]
    return failed or max(timed, key=lambda each: each.step)


def _measured_together(
    processes: Sequence[subprocess.Popen[str]], logs: Sequence[TextIO], request: str
) -> list[Probe | str]:
    """Let all get ready, then all measure at the same time; return what each says."""
    for process in processes:
        _send(process, request)
    for process in processes:
        _wait_until_ready(process)
    for process in processes:
        _send(process, "go")
    return [_answer_of(process, log) for process, log in zip(processes, logs, strict=True)]


def answer_of(code: int, out: str, err: str) -> Probe | str:
    """Return what a probe's process measured, or why it failed; an Exp may print before it."""
    if code:
        last = (err.strip().splitlines() or ["it said nothing"])[-1]
        return re.sub(r"^(\w+\.)*(\w*Error): ", "", last) + f" (exit code {code})"
    return Probe(**json.loads(out.splitlines()[-1]))


def _timing_process(threads: Mapping[str, str], log: TextIO) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "yolox_attn.study.timing"],
        env=os.environ | threads,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )


def _kill(processes: Sequence[subprocess.Popen[str]], late: Event) -> None:
    late.set()
    for process in processes:
        process.kill()


def _end(processes: Sequence[subprocess.Popen[str]]) -> None:
    for process in processes:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):  # what was not sent any more
                if stream is not None:
                    stream.close()


def _send(process: subprocess.Popen[str], line: str) -> None:
    with suppress(OSError):  # it has ended, and its exit code says why
        print(line, file=process.stdin, flush=True)


def _wait_until_ready(process: subprocess.Popen[str]) -> None:
    """Read until the process stands before its first step, or has ended."""
    for line in process.stdout or ():
        if line.strip() == READY:
            return


def _answer_of(process: subprocess.Popen[str], log: TextIO) -> Probe | str:
    out = process.stdout.read() if process.stdout else ""
    code = process.wait()
    log.seek(0)
    return answer_of(code, out, log.read())

"""Processes that start at once: forked from a server that has imported training and done nothing.

Importing torch, YOLOX and the package takes longer than a small run. The server is started by the
first process of a session; no thread of the tests, and nothing they computed, is in its children.
"""

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from yolox_attn.cli import report_errors
from yolox_attn.core.distributed import gather_objects
from yolox_attn.core.launch import process_group, supervise
from yolox_attn.launched import LAUNCHER, end_with_launcher
from yolox_attn.signals import StopRequest

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["yolox_attn.cli.train"])


def start(output: Path, function: Callable[..., int | None], *arguments: Any) -> BaseProcess:
    """Call a helper's function in a process and session of its own; it returns the exit code.

    What it prints is added to the file `output`.
    """
    process = FORKED.Process(target=_call, args=(output, function, arguments))
    process.start()
    return process


def ended(process: BaseProcess, seconds: float = 600) -> int:
    """Wait until it has ended; return its exit code, -9 of one that was killed."""
    process.join(seconds)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"still running after {seconds} s")
    return process.exitcode


def _call(output: Path, function: Callable[..., int | None], arguments: tuple[Any, ...]) -> None:
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it,
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and behind nohup this one
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with output.open("a", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = file
        sys.exit(function(*arguments))


def supervised(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
    """Be the launcher of such processes."""
    return supervise(command, environments)


def rank(environment: Mapping[str, str], folder: Path, lost: int | None) -> int:
    """Be a rank of a run that gathers its ranks' numbers; in the fourth step one may be killed.

    Rank `lost` is; without one there is a single step, after which each writes what it got.
    """
    os.environ |= environment

    @report_errors
    def run(_: list[str] | None) -> int:
        with process_group(torch.device("cpu")):
            number = dist.get_rank()
            for step in range(1 if lost is None else 1000):
                gathered = gather_objects(number)
                if step == 3 and number == lost:
                    os.kill(os.getpid(), signal.SIGKILL)
            (folder / str(number)).write_text(str(gathered))
        return 0

    return run(None)


def launcher_of_one(folder: Path) -> int:
    """Be the launcher of a rank that writes by which signal it was asked to stop."""
    parent = str(os.getpid())
    if os.fork():
        time.sleep(60)
        return 1
    names = {"RANK": "0", "WORLD_SIZE": "1", "TORCHELASTIC_RUN_ID": "x", LAUNCHER: parent}
    os.environ |= names | {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    end_with_launcher()
    stop = StopRequest(quiet=True)
    with stop.listening(), process_group(torch.device("cpu")):
        (folder / "ready").write_text("yes")
        end = time.monotonic() + 60
        while stop.signal is None and time.monotonic() < end:
            time.sleep(0.05)
    (folder / "stopped").write_text(str(stop.signal))
    return 0

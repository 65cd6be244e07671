"""Processes that start at once: forked from a server that has imported training and done nothing.

Importing torch, YOLOX and the package takes longer than a small run. The server is started by the
first process of a session; no thread of the tests, and nothing they computed, is in its children.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

FORKED = multiprocessing.get_context("forkserver")
FORKED.set_forkserver_preload(["yolox_attn.cli.train"])


def start(output: Path, function: Callable[..., int | None], *arguments: Any) -> BaseProcess:
    """Call a function of a module in a process and session of its own; it returns the exit code.

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
    os.environ |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    with output.open("a", buffering=1) as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        sys.stdout = sys.stderr = file
        sys.exit(function(*arguments))

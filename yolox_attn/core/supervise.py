"""Processes that stand or fall together, and the signals that are meant for all of them."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from yolox_attn.errors import Interrupted, TrainingError

PASSED_ON = (signal.SIGTERM, signal.SIGINT)
INPUT, CTRL_C = 2, 130  # exit codes of a rank that has told its reason in one line
OWN_WORDS = (INPUT, CTRL_C, Interrupted.CODE)
POLL = 0.05  # seconds
LEAVE = 10.0  # seconds for the others to notice that a rank is gone
END = 20.0  # further seconds after SIGTERM; then SIGKILL
SAVE = 600.0  # seconds for rank 0 to finish saving after the others did as they were asked

Rank = subprocess.Popen[bytes]


def supervise(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
    """Run the command once in each environment until all have ended; one that fails ends all.

    SIGTERM and Ctrl-C are passed on, once for each time they come, and the processes decide.

    Args:
        command: program and arguments.
        environments: of each rank; RANK is its number.

    Returns:
        0, or the code of the first that failed if that one has told why: 2, 75 or 130.

    Raises:
        TrainingError: a rank failed in any other way.
    """
    ranks: list[Rank] = []
    with _passing_on(ranks):
        try:
            for environment in environments:
                # A session of its own: Ctrl-C reaches it through here, once.
                ranks.append(
                    subprocess.Popen(command, env=dict(environment), start_new_session=True)
                )
            number, code = _wait(ranks)
        finally:
            for rank in ranks:
                _kill(rank)
    if code == 0 or code in OWN_WORDS:
        return code
    name = f" ({signal.Signals(-code).name})" if code < 0 else ""
    number = int(environments[number].get("RANK", number))
    raise TrainingError(f"rank {number} ended with exit code {code}{name}; all ranks were stopped")


def _wait(ranks: Sequence[Rank]) -> tuple[int, int]:
    """Wait until all have ended: number and exit code of the one that failed, else (0, 0).

    Ranks that end because another is gone may be seen to end before it: the cause is told among
    all that ended before any was asked to.
    """
    first: tuple[int, int] | None = None
    since, asked = 0.0, False
    while None in [rank.poll() for rank in ranks]:  # every one: returncode is known once polled
        if not asked and (failed := _first_failure(ranks)):
            since = time.monotonic() if first is None else since
            first = failed
        if first is not None:
            waited = time.monotonic() - since - (SAVE if first[1] == Interrupted.CODE else LEAVE)
            if waited > 0 and not asked:
                asked = True
                _signal(ranks, signal.SIGTERM)
            if waited > END:
                for rank in ranks:
                    _kill(rank)
        time.sleep(POLL)
    return (first if asked else _first_failure(ranks)) or (0, 0)


def _first_failure(ranks: Sequence[Rank]) -> tuple[int, int] | None:
    """Return number and code; of several the cause: what lost another rank ends with 1."""
    failed = [(number, rank.returncode) for number, rank in enumerate(ranks) if rank.returncode]
    return min(failed, key=lambda each: (each[1] > 0, each[1] == 1, each[0]), default=None)


@contextmanager
def _passing_on(ranks: list[Rank]) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can listen
        return

    def pass_on(number: int, _: FrameType | None) -> None:
        _signal(ranks, signal.Signals(number))

    before = {number: signal.signal(number, pass_on) for number in PASSED_ON}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signal(ranks: Sequence[Rank], number: signal.Signals) -> None:
    for rank in list(ranks):
        rank.send_signal(number)  # does nothing to one that has ended


def _kill(rank: Rank) -> None:
    """End a rank and the loading workers in its session."""
    if rank.poll() is None:
        os.killpg(rank.pid, signal.SIGKILL)
        rank.wait()

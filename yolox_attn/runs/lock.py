"""One process writes a run folder; whether that process is alive can be seen from outside."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from yolox_attn.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: no lock, and nobody can tell a killed run from a running one
    fcntl = None  # type: ignore[assignment]

LOCK_NAME = ".lock"
PATIENCE = 1.0  # seconds; a reader that asks `held` has the lock for an instant
TRAINING = "another process is training there; wait, or use -expn NAME"

_mine: dict[Path, int] = {}  # folders that this process holds -> the descriptor of the lock


@contextmanager
def hold(folder: Path, *, busy: str = TRAINING) -> Iterator[None]:
    """Keep every other process from working in `folder` meanwhile; the system frees it on a kill.

    Where the file system has no locks there is none. Within one process it may be nested.

    Args:
        folder: must exist.
        busy: what is told where another process holds it.

    Raises:
        InputError: another process holds the folder.
    """
    key = folder.resolve()
    if fcntl is None or key in _mine:
        yield
        return
    number = os.open(folder / LOCK_NAME, os.O_RDWR | os.O_CREAT, 0o666)
    if not _lock(number):
        os.close(number)
        raise InputError(f"{folder}: {busy}")
    _mine[key] = number
    try:
        yield
    finally:
        if key in _mine:
            os.close(_mine.pop(key))


def held(folder: Path) -> bool | None:
    """Tell whether a process, this one or another, holds `folder`; None where nobody can tell."""
    if fcntl is None:
        return None
    try:
        number = os.open(folder / LOCK_NAME, os.O_RDONLY)
    except OSError:
        return None
    try:
        fcntl.flock(number, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(number)
    return False


def is_mine(folder: Path) -> bool:
    """Tell whether it is this process that holds `folder`."""
    return folder.resolve() in _mine


def _lock(number: int) -> bool:
    """Take the lock on an open file; False if another process keeps it, True if there are none."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        except OSError:
            return True
        else:
            return True


def _leave_to_the_parent() -> None:
    """Close the locks in a forked child: a loading worker must not hold what its run has lost."""
    for number in _mine.values():
        os.close(number)
    _mine.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_to_the_parent)

"""A run's folder: files that are replaced in one step, and a lock that only one process holds.

A reader, and a kill at any moment, find the old file or the new one.
"""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from yolox_attn.errors import InputError
from yolox_attn.signals import unwinding

try:
    import fcntl
except ImportError:  # Windows: no lock, and nobody can tell a killed run from a running one
    fcntl = None  # type: ignore[assignment]

DETECTIONS_NAME = "detections.json"
LOCK_NAME = ".lock"
PATIENCE = 1.0  # seconds; a reader that asks `held` has the lock for an instant
TRAINING = "another process is training there; wait, or use -expn NAME"
_mine: dict[Path, int] = {}  # folders that this process holds -> the descriptor of the lock


@contextmanager
def replacing(path: Path, previous: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when all of it is on the disk.

    It gets the permissions that any new file gets. If the block fails, everything stays as it was.

    Args:
        path: what is replaced; its folder must exist.
        previous: where the old `path` stays; there is no moment without a file at `path`.
    """
    temporary = _temporary(path)
    temporary.unlink(missing_ok=True)  # of a killed process with the same number, or a trap
    try:
        with temporary.open("xb") as file:  # never through a link that somebody has laid there
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            _keep_as(path, previous)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def open_log(path: Path) -> BinaryIO:
    """Open a file to write on at its end; makes the folder if need be.

    Raises:
        InputError: a link lies there.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return open(path, "ab", buffering=0, opener=_open_unlinked)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step; makes the folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode())


def set_aside(path: Path) -> Path:
    """Rename a damaged file, or a folder in its place, to NAME.damaged, .damaged-2 ..."""
    aside, number = path.with_name(f"{path.name}.damaged"), 1
    while aside.exists() or aside.is_symlink():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{number}")
    path.rename(aside)
    return aside


def remove_leftovers(folder: Path) -> None:
    """Remove the half-written files of processes that were killed; only for who holds the lock."""
    for path in folder.glob(".*.*.tmp"):
        path.unlink(missing_ok=True)


@contextmanager
def hold(folder: Path, *, busy: str = TRAINING) -> Iterator[None]:
    """Keep every other process from working in `folder` meanwhile; the system frees it on a kill.

    Where the file system has no locks there is none. Within one process it may be nested.

    Args:
        folder: must exist.
        busy: what is said where another process holds it.

    Raises:
        InputError: another process holds the folder.
    """
    key = folder.resolve()
    if fcntl is None or key in _mine:
        yield
        return
    number = _take(folder / LOCK_NAME)
    if number is None:
        raise InputError(f"{folder}: {busy}")
    _mine[key] = number
    try:
        yield
    finally:
        if key in _mine:
            os.close(_mine.pop(key))


def check_hold(folder: Path) -> None:
    """See that this process still holds `folder`: its lock may have been removed meanwhile.

    If nobody else has come it is taken again.

    Raises:
        InputError: another process holds the folder by now; it must not be written to.
    """
    key = folder.resolve()
    number = _mine.get(key)
    if number is None or _is_at(number, folder / LOCK_NAME):
        return
    again = _take(folder / LOCK_NAME)
    if again is None:
        raise InputError(f"{folder}: its {LOCK_NAME} was removed, and {TRAINING}")
    os.close(number)
    _mine[key] = again


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


@contextmanager
def alone_at(file: Path, *, busy: str) -> Iterator[None]:
    """Keep others from working at a file meanwhile, which is made where it is not there.

    Where the file system has no locks there is none.

    Args:
        file: its folder must exist; it may be renamed or removed meanwhile.
        busy: what is said where somebody else is at it.

    Raises:
        InputError: somebody is.
    """
    if fcntl is None:
        yield
        return
    number = _take(file)
    if number is None:
        raise InputError(f"{file}: {busy}")
    try:
        yield
    finally:
        os.close(number)


def is_mine(folder: Path) -> bool:
    """Tell whether it is this process that holds `folder`."""
    return folder.resolve() in _mine


@contextmanager
def scratch_folder(place: Path, prefix: str = ".making-") -> Iterator[Path]:
    """Make a hidden folder in `place` for the time of the block; signals remove it too."""
    with unwinding(), tempfile.TemporaryDirectory(dir=place, prefix=prefix) as folder:
        yield Path(folder)


def _temporary(path: Path) -> Path:
    """Return the hidden name under which this process writes what shall become `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def _keep_as(path: Path, previous: Path) -> None:
    """Make `previous` a second name of `path`'s content, by a copy where links are not possible."""
    temporary = _temporary(previous)
    temporary.unlink(missing_ok=True)  # of a killed process with the same number
    try:
        try:
            os.link(path, temporary)
        except OSError:  # FAT, some network and container file systems
            shutil.copyfile(path, temporary)
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
        temporary.replace(previous)
    finally:
        temporary.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too; not every system lets a folder be opened or synced."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def _take(file: Path) -> int | None:
    """Return the descriptor of a file, locked; None if another process keeps it."""
    while True:
        number = _open_unlinked(file, os.O_RDWR | os.O_CREAT)
        if not _lock(number):
            os.close(number)
            return None
        if _is_at(number, file):
            return number
        os.close(number)  # removed while it was being locked


def _open_unlinked(path: str | Path, flags: int) -> int:
    """Open what is not a link: what that leads to is not ours."""
    try:
        return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise InputError(f"{path} is a link: remove it") from error


def _is_at(number: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(number), os.stat(file))  # noqa: PTH116
    except FileNotFoundError:
        return False


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

"""Files replaced in one step: a reader, and a kill at any moment, find the old one or the new."""

import contextlib
import math
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


@contextmanager
def replacing(path: Path, previous: Path | None = None) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of `path` when all of it is on the disk.

    It gets the permissions that any new file gets. If the block fails, everything stays as it was.

    Args:
        path: what is replaced; its folder must exist.
        previous: where the old `path` stays; there is no moment without a file at `path`.
    """
    temporary = beside(path)
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if previous is not None and path.exists():
            kept_as(path, previous)
        temporary.replace(path)
        _sync_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def kept_as(path: Path, previous: Path) -> None:
    """Make `previous` a second name of `path`'s content, by a copy where links are not possible."""
    temporary = beside(previous)
    temporary.unlink(missing_ok=True)  # of a process of this number, killed
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


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text` in one step; makes the folder if need be."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(text.encode())


def beside(path: Path) -> Path:
    """Return the hidden name under which this process writes what shall become `path`."""
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def remove_leftovers(folder: Path) -> None:
    """Remove the half-written files of processes that were killed; only for who holds the lock."""
    for path in folder.glob(".*.*.tmp"):
        path.unlink(missing_ok=True)


def finite(value: Any) -> Any:
    """Return `value` with None for every nan and infinity, which JSON cannot say."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value


def _sync_folder(folder: Path) -> None:
    """Put the new name on the disk too; not every system lets a folder be opened or synced."""
    with contextlib.suppress(OSError):
        number = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)

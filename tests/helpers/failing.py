"""A disk that fails: every call that changes a folder's files is counted, and one of them is hit.

The calls are seen where Python makes them: open, rename, link and remove by the interpreter's own
audit events; write and fsync at the functions that the package calls.
"""

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES}
HITS = (*ERRORS, "kill")
CHANGES = {"os.rename": 2, "os.link": 2, "os.remove": 1}  # audit event -> how many paths it has


class Disk:
    """Counts the calls below `folder`; at number `at`, from 0, it fails by `hit`."""

    def __init__(self, folder: Path, at: int | None = None, hit: str = "kill") -> None:
        self.folder, self.at, self.hit = str(folder), at, hit
        self.calls: list[str] = []

    def call(self, name: str, *paths: object) -> None:
        if not any(self._is_below(path) for path in paths):
            return
        self.calls.append(name)
        if len(self.calls) - 1 != self.at:
            return
        if self.hit == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        number = ERRORS[self.hit]
        raise OSError(number, os.strerror(number), str(paths[0]))

    def _is_below(self, path: object) -> bool:
        return isinstance(path, str | Path) and str(path).startswith(self.folder)

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            if (isinstance(mode, str) and set(mode) & set("wxa+")) or (
                mode is None and isinstance(flags, int) and flags & os.O_CREAT
            ):
                self.call("open", path)
        elif event in CHANGES:
            self.call(event, *arguments[: CHANGES[event]])

    @contextmanager
    def failing(self) -> Iterator["Disk"]:
        """Let the disk fail meanwhile."""
        opening, syncing = Path.open, os.fsync

        def opened(path: Path, mode: str = "r", *others: Any, **names: Any) -> Any:
            stream = opening(path, mode, *others, **names)
            return Counted(stream, self, str(path)) if mode in ("xb", "wb") else stream

        def synced(number: int) -> None:
            self.call("fsync", self.folder)
            syncing(number)

        _listen()
        Path.open, os.fsync = opened, synced  # type: ignore[method-assign]
        _active.append(self)
        try:
            yield self
        finally:
            _active.remove(self)
            Path.open, os.fsync = opening, syncing  # type: ignore[method-assign]


_active: list[Disk] = []  # of one hook, as hooks stay for ever


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    for disk in _active:
        disk.audit(event, arguments)


@cache
def _listen() -> None:
    sys.addaudithook(_audit)


class Counted:
    """A file whose every write is a call to the disk, half of it done before it fails."""

    def __init__(self, stream: Any, disk: Disk, path: str) -> None:
        self._stream, self._disk, self._path = stream, disk, path

    def write(self, content: Any) -> int:
        if len(content) > 1 and self._disk.at == len(self._disk.calls):
            self._stream.write(content[: len(content) // 2])
            self._stream.flush()
        self._disk.call("write", self._path)
        return int(self._stream.write(content))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __enter__(self) -> "Counted":
        self._stream.__enter__()
        return self

    def __exit__(self, *details: Any) -> None:
        self._stream.__exit__(*details)


def in_child(function: Callable[[], object]) -> int:
    """Call it in a forked process, which may be killed there; return how that ended."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            function()
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def on_failing_disk(
    folder: Path, at: int | None, hit: str, main: Callable[[Any], int], given: Any
) -> int:
    """Call a command while one call to the disk fails; how many there were goes into calls.txt."""
    disk = Disk(folder, at, hit)
    with disk.failing():
        code = main(given)
    (folder.parent / "calls.txt").write_text(str(len(disk.calls)))
    return code

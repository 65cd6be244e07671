"""A data set that is as it was when it was last read need not be read again.

Known by what the file system says of every file and folder, as git and make do it.
"""

import hashlib
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from yolox_attn.runs import replacing

# Seconds that a set must have been left alone before it is read: two changes within a tick of the
# file system's clock look like one.
SETTLED = 3.0


class Memory:
    """What was made of a data set, for as long as nothing of it changes.

    Args:
        cache: where it is remembered.
        root: the set: a folder with all that is below it, or a file.
    """

    def __init__(self, cache: Path, root: Path) -> None:
        self.file = cache / f"{hashlib.sha256(os.fsencode(root)).hexdigest()[:16]}.json"
        self.root, self.begun = root, time.time()
        self.state, self.newest = _state(root)
        self.known = self._read()
        self.elsewhere = {place: _state(Path(place))[0] for place in self.known["elsewhere"]}

    def recall(self) -> str | None:
        """Return what was kept, None if nothing was, or if anything has changed since then."""
        now = {"root": self.state, "elsewhere": self.elsewhere, "made": self.known["made"]}
        return str(self.known["made"]) if self.known == {**now, "sure": True} else None

    def keep(self, made: str, looked_for: Iterable[Path]) -> None:
        """Remember what was made of the set as it was when this object was made.

        What lies elsewhere is not known before a first reading, and may have changed during it: it
        is remembered when it was the same before and after a second one.

        Args:
            made: what `recall` returns from now on.
            looked_for: what else it depends on, whole paths, there or not; also of what lies below
                the root.
        """
        states = {str(place): _state(place) for place in _apart(self.root, looked_for)}
        if max([self.newest, *(newest for _, newest in states.values())]) > self.begun - SETTLED:
            return
        elsewhere = {place: state for place, (state, _) in states.items()}
        sure = elsewhere == self.elsewhere
        content = {"root": self.state, "elsewhere": elsewhere, "made": made, "sure": sure}
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            with replacing(self.file) as opened:
                opened.write(json.dumps(content).encode())
        except OSError:
            return  # it is read again then

    def _read(self) -> dict[str, Any]:
        nothing: dict[str, Any] = {"elsewhere": {}, "made": None}
        try:
            known = json.loads(self.file.read_text())
            return known if isinstance(known["elsewhere"], dict) and known["made"] else nothing
        except (OSError, ValueError, LookupError, TypeError):
            return nothing


def _apart(root: Path, places: Iterable[Path]) -> list[Path]:
    """Return the places that lie neither below `root` nor below another of them."""
    chosen = {root}
    for place in sorted(set(places), key=lambda each: len(each.parts)):
        if place not in chosen and chosen.isdisjoint(place.parents):
            chosen.add(place)
    return sorted(chosen - {root})


def _state(place: Path) -> tuple[str, float]:
    """Return a digest of a place with all that is below it, and when the last of it changed.

    Links are followed. What cannot be looked at counts as changing all the time.
    """
    digest, newest = hashlib.sha256(), 0.0
    try:
        place.stat()
    except (FileNotFoundError, NotADirectoryError):
        there = next((parent for parent in place.parents if os.path.lexists(parent)), None)
        return f"absent below {there}", 0.0
    except (OSError, ValueError):
        return "unknown", float("inf")
    try:
        for path, status in _everything(place):
            # `cp -p` and `touch` set st_mtime back, nothing sets st_ctime.
            times = [status.st_mtime_ns, status.st_ctime_ns]
            known = [path, status.st_dev, status.st_ino, status.st_size, *times]
            digest.update(f"{known}\n".encode(errors="surrogateescape"))
            newest = max(newest, status.st_mtime, status.st_ctime)
    except OSError:
        return "unknown", float("inf")
    return digest.hexdigest(), newest


def _everything(place: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the place, and folders and files below it."""
    yield str(place), place.stat()
    if not place.is_dir():
        return
    seen = set()
    for parent, folders, names in os.walk(place, followlinks=True, onerror=_unreadable):
        yield parent, os.stat(parent)  # noqa: PTH116 - of strings: a set has many files
        if (real := os.path.realpath(parent)) in seen:  # a link to a folder above
            folders.clear()
            continue
        seen.add(real)
        folders.sort()
        for name in sorted(names):
            path = os.path.join(parent, name)  # noqa: PTH118
            with suppress(FileNotFoundError):  # a link to nothing; to something it is another state
                yield path, os.stat(path)  # noqa: PTH116


def _unreadable(error: OSError) -> None:
    raise error

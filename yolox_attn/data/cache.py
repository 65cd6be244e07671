"""Data sets that the package makes, in a cache: put there in one step, intact or made again."""

import contextlib
import hashlib
import json
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.runs import scratch_folder

MANIFEST = "manifest.json"


def cached(folder: Path, make: Callable[[Path], None]) -> Path:
    """Return `folder`; where it is not intact, let `make` fill a new one and move it there.

    Several processes may call this at once. `make` ends by `write_manifest`.

    Raises:
        InputError: the folder cannot be written.
    """
    if is_intact(folder):
        return folder
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder.parent) as scratch:
            fresh = scratch / "fresh"
            make(fresh)
            _put_in_place(fresh, folder, scratch)
    except OSError as error:
        hint = "set YOLOX_ATTN_CACHE to a folder that can be written"
        raise InputError(f"cannot make the data set {folder}: {error}; {hint}") from error
    return folder


def write_manifest(folder: Path, files: Iterable[Path], **content: Any) -> None:
    """Write the hashes of a set's files, by which `is_intact` knows it, and what else is given."""
    hashes = {path.relative_to(folder).as_posix(): _sha256(path) for path in sorted(files)}
    (folder / MANIFEST).write_text(json.dumps({**content, "files": hashes}, indent=1))


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return what `write_manifest` wrote; the folder is intact."""
    content: dict[str, Any] = json.loads((folder / MANIFEST).read_text())
    return content


def is_intact(folder: Path) -> bool:
    """Tell whether every file of a set is there, byte for byte as it was made."""
    try:
        files = read_manifest(folder)["files"]
        return all(_sha256(folder / name) == digest for name, digest in files.items())
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False


def _put_in_place(fresh: Path, folder: Path, scratch: Path) -> None:
    """Move a set to its place, past a damaged one or another process that does the same."""
    for _ in range(10):
        if is_intact(folder):
            return
        with contextlib.suppress(FileNotFoundError):
            folder.rename(scratch / uuid.uuid4().hex)
        with contextlib.suppress(OSError):
            fresh.rename(folder)
    raise FileExistsError(f"{folder} changes while it is being replaced")


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()

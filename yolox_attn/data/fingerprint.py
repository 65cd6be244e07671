"""Whether the image files of a set are those of before, without reading them."""

import hashlib
from collections.abc import Iterable
from pathlib import Path


def fingerprint(folder: Path, names: Iterable[str]) -> str:
    """Return a hash of the files' names and sizes; a second for a hundred thousand files.

    What was edited without changing its length is not seen.
    """
    digest = hashlib.sha256()
    for name in names:
        digest.update(f"{name}\0{(folder / name).stat().st_size}\n".encode(errors="replace"))
    return digest.hexdigest()

"""YOLOX's published weights: fetched once, checked before they are kept, and known again later."""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yolox_attn.core.weights import load_weights
from yolox_attn.errors import InputError
from yolox_attn.exp.loader import load_exp
from yolox_attn.names import PUBLISHED_SIZES
from yolox_attn.runs import alone_at, file_hash, write_text

RELEASE = "https://github.com/Megvii-BaseDetection/YOLOX/releases/download/0.1.1rc0"
CHUNK = 2**20
PATIENCE = 30.0  # seconds without a byte
Progress = Callable[[int, int], object]  # bytes so far, bytes in all


def fetch(
    size: str, folder: Path, *, release: str = RELEASE, progress: Progress = lambda *_: None
) -> Path:
    """Return the file of a size's weights in `folder`; fetch it where it is not there.

    A fetch that was broken off goes on where it stopped. A file is kept when it has the announced
    length, loads as tensors alone, and fills every tensor of the detector; its SHA-256 is written
    beside it, and a file that has another by now is refused.

    Raises:
        InputError: no such size, no connection, an incomplete file (the same call goes on), one
            that is no such weights, or one that was changed; or somebody else is fetching it there.
    """
    if size not in PUBLISHED_SIZES:
        raise InputError(f"no published weights of size {size}: {', '.join(PUBLISHED_SIZES)}")
    path = folder / f"yolox_{size}.pth"
    kept = path.with_name(f"{path.name}.sha256")
    if path.exists():
        _check_known(path, kept)
        return path
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    with alone_at(part, busy="another process is fetching it; wait for it to end"):
        try:
            if path.exists():  # by who was there just before
                _check_known(path, kept)
            else:
                _fetch_whole(size, release, part, progress)
                write_text(kept, f"{file_hash(part)}  {path.name}\n")
                part.rename(path)
        finally:
            if part.is_file() and not part.stat().st_size:
                part.unlink()
    return path


def _fetch_whole(size: str, release: str, part: Path, progress: Progress) -> None:
    """Bring `part` to its length, and remove it where it is not what it should be."""
    _download(f"{release}/yolox_{size}.pth", part, progress)
    try:
        load_weights(load_exp(name=f"yolox-{size}").get_model(), part, complete=True)
    except InputError as error:
        part.unlink()
        raise InputError(f"what came from {release} is no yolox-{size}: {error}") from error


def _check_known(path: Path, kept: Path) -> None:
    if not kept.is_file():
        raise InputError(f"{path} is there, and was not fetched by this; move it away to fetch it")
    if kept.read_text(encoding="utf-8").split()[:1] != [file_hash(path)]:
        raise InputError(f"{path} is not what was fetched: its SHA-256 is not that of {kept}")


def _download(url: str, part: Path, progress: Progress) -> None:
    """Bring `part` to the announced length; what it holds already is not fetched again."""
    mark = part.with_name(f"{part.name}.etag")
    there = part.stat().st_size if part.is_file() and mark.is_file() else 0
    request = urllib.request.Request(url)
    if there:  # the rest of the same file, else all of the new one
        request.add_header("Range", f"bytes={there}-")
        request.add_header("If-Range", mark.read_text(encoding="utf-8"))
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
            total = _save(answer, part, mark, there, progress)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # there is nothing behind what we have: begin anew
            part.unlink()
        raise InputError(f"{url}: {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise InputError(f"cannot fetch {url}: {reason}; the same command goes on") from error
    size = part.stat().st_size
    if size != total:
        raise InputError(
            f"{url}: {size} of {total} bytes came; the same command goes on from there"
        )
    mark.unlink(missing_ok=True)


def _save(answer: Any, part: Path, mark: Path, there: int, progress: Progress) -> int:
    """Write what comes; return how long the whole file is said to be."""
    goes_on = answer.status == 206
    announced = answer.headers.get("Content-Length")
    if announced is None:
        raise InputError(f"{answer.url} does not say how long the file is")
    done = there if goes_on else 0
    total = done + int(announced)
    if tag := answer.headers.get("ETag"):
        mark.write_text(tag, encoding="utf-8")
    else:
        mark.unlink(missing_ok=True)
    with part.open("ab" if goes_on else "wb") as file:
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            done += len(chunk)
            progress(done, total)
    return total

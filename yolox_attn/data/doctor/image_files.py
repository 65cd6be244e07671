"""The image files themselves: can they be read whole, and are they what the json says.

Not found are JPEGs damaged in the middle, or cut and given an end mark: the decoder fills in what
it lacks and only prints a warning, which no decoder at hand returns. Other formats are as whole as
their decoder says.
"""

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from multiprocessing.pool import ThreadPool
from pathlib import Path

import cv2
import numpy as np
from tqdm import tqdm

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.report import Finding, Level, finding

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
SCAN = re.compile(rb"\xff\xda\x00[\x06-\x0e]")  # the start of image data, and its length
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright, 5 to 8 swap width and height
SAMPLE = 64  # images of a split that the quick form decodes
FAULTS: dict[str, tuple[Level, str]] = {
    "unreadable": ("error", "images that cannot be read"),
    "truncated": ("error", "images that are cut off"),
    "wrong_size": ("error", "images of another size than the json says: boxes would be misplaced"),
    "rotated": ("warning", "images with an EXIF rotation or mirroring: see that the boxes fit"),
    "deep": ("warning", "images of more than 8 bits: divided by 256 when read, 12 bits go black"),
    "unusual": ("warning", "images of no whole 8 or 16 bits: see how they look when read as 8"),
}


@dataclass(frozen=True)
class FileState:
    """What was found in one image file: codes of `FAULTS`, and a digest of its pixels."""

    faults: tuple[tuple[str, str], ...]  # (code, detail)
    digest: str | None


States = dict[int, FileState]  # index of the image -> state


def read_images(dataset: CocoDetection, split: str, *, full: bool, progress: bool) -> States:
    """Decode images, all with `full`, else `SAMPLE` of them, evenly spread."""
    last = len(dataset) - 1
    count = last + 1 if full else SAMPLE
    indices = np.unique(np.linspace(0, last, count).astype(int)).tolist()

    def examine(index: int) -> FileState:
        return examine_file(dataset.image_file(index), dataset.annotations[index][1])

    with ThreadPool(min(8, os.cpu_count() or 1)) as pool:
        states = pool.imap(examine, indices)
        bar = tqdm(states, split, len(indices), unit="image", disable=None if progress else True)
        return dict(zip(indices, bar, strict=True))


def examine_images(
    dataset: CocoDetection, split: str, states: States, *, full: bool
) -> Iterator[Finding]:
    """Yield what was found in the files, by kind of fault."""
    suffix = "" if full else f" (of {len(states)} looked at)"
    for code, (level, message) in FAULTS.items():
        cases = (
            f"{dataset.annotations[index][3]}: {detail}"
            for index, state in states.items()
            for fault, detail in state.faults
            if fault == code
        )
        yield finding(level, code, split, message + suffix, cases)


def examine_file(file: Path, size: tuple[int, int]) -> FileState:
    """Read and decode one file, which should be `size` = (height, width) large."""
    raw = _content(file)
    if isinstance(raw, str):
        return FileState((("unreadable", raw),), None)
    if not is_whole(raw):
        return FileState((("truncated", "its end is missing"),), None)
    pixels = _decode(raw, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return FileState((("unreadable", "empty" if not raw else "no image"),), None)
    if pixels.dtype != np.uint8 and _decode(raw, cv2.IMREAD_COLOR) is None:
        detail = f"its {pixels.dtype} values cannot be read as 8-bit colours"
        return FileState((("unreadable", detail),), None)
    faults = []
    stored, turn = pixels.shape[:2], orientation(raw)
    shown = stored[::-1] if turn >= 5 else stored
    if size not in (stored, shown):
        detail = f"{stored[1]}x{stored[0]}, the json says {size[1]:g}x{size[0]:g}"
        faults.append(("wrong_size", detail))
    elif turn != 1:
        faults.append(("rotated", f"orientation {turn}"))
    if pixels.dtype != np.uint8:
        code = "deep" if pixels.dtype == np.uint16 else "unusual"
        faults.append((code, f"{pixels.dtype}, up to {pixels.max():g}"))
    digest = blake2b(pixels.tobytes(), digest_size=16, key=str(pixels.shape).encode())
    return FileState(tuple(faults), digest.hexdigest())


def is_whole(raw: bytes) -> bool:
    """Return whether a JPEG or PNG has its end; of other formats the decoder knows."""
    if raw.startswith(PNG):
        return b"IEND" in raw[-4096:]
    if not raw.startswith(JPEG):
        return True
    # Behind the start of the scan no entropy-coded byte can look like an end; a thumbnail before
    # it has an end of its own.
    scans = [scan.start() for scan in SCAN.finditer(raw)]
    return bool(scans) and raw.find(b"\xff\xd9", scans[-1]) >= 0


def orientation(raw: bytes) -> int:
    """Return a JPEG's EXIF orientation, 1 to 8; 1 where none is said.

    Read by hand, because it must be what OpenCV turns the image by: on tags of a wrong type or
    count Pillow often says 1 where OpenCV, and this, read the value.
    """
    start = raw.find(b"Exif\0\0", 0, 1 << 16) + 6
    if not raw.startswith(JPEG) or start < 6:
        return 1
    order = {b"II": "<", b"MM": ">"}.get(raw[start : start + 2])
    if order is None:
        return 1
    try:
        (offset,) = struct.unpack_from(order + "I", raw, start + 4)
        (entries,) = struct.unpack_from(order + "H", raw, start + offset)
        for index in range(entries):
            place = start + offset + 2 + 12 * index
            tag, _, _, value = struct.unpack_from(order + "HHIH", raw, place)
            if tag == ORIENTATION:
                return int(value) if 1 <= value <= 8 else 1
    except struct.error:  # a cut header: then it says nothing
        return 1
    return 1


def _content(file: Path) -> bytes | str:
    """Return the file's bytes, or why there are none: a pipe, for one, would never end."""
    try:
        return file.read_bytes() if file.is_file() or not file.exists() else "no regular file"
    except OSError as error:
        return str(error.strerror)


def _decode(raw: bytes, flags: int) -> np.ndarray | None:
    """Return the pixels: IMREAD_UNCHANGED as stored, IMREAD_COLOR as training reads them."""
    if not raw:
        return None
    try:
        pixels: np.ndarray | None = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), flags)
    except cv2.error:  # more pixels than OpenCV's limit, for one
        return None
    return pixels

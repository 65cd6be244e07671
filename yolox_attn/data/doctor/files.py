"""What an image file itself tells: can it be read whole, and is it what the json says.

Not found are JPEGs damaged in the middle, or cut and given an end mark: the decoder fills in what
it lacks and only prints a warning, which no decoder at hand returns. Other formats are as whole as
their decoder says.
"""

import re
import struct
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np

JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
SCAN = re.compile(rb"\xff\xda\x00[\x06-\x0e]")  # the start of image data, and its length
ORIENTATION = 0x0112  # the EXIF tag; 1 is upright, 5 to 8 swap width and height


@dataclass(frozen=True)
class FileState:
    """What was found in one image file: codes of `images.FAULTS`, and a digest of its pixels."""

    faults: tuple[tuple[str, str], ...]  # (code, detail)
    digest: str | None


def examine_file(file: Path, size: tuple[int, int]) -> FileState:
    """Read and decode one file, which should be `size` = (height, width) large."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        return FileState((("unreadable", str(error.strerror)),), None)
    if not is_whole(raw):
        return FileState((("truncated", "its end is missing"),), None)
    pixels = _decode(raw, cv2.IMREAD_UNCHANGED)
    if pixels is None:
        return FileState((("unreadable", "empty" if not raw else "no image"),), None)
    if pixels.dtype != np.uint8 and _decode(raw, cv2.IMREAD_COLOR) is None:
        told = f"its {pixels.dtype} values cannot be read as 8-bit colours"
        return FileState((("unreadable", told),), None)
    faults = []
    stored, turn = pixels.shape[:2], orientation(raw)
    shown = stored[::-1] if turn >= 5 else stored
    if size not in (stored, shown):
        told = f"{stored[1]}x{stored[0]}, the json says {size[1]:g}x{size[0]:g}"
        faults.append(("wrong_size", told))
    elif turn != 1:
        faults.append(("rotated", f"orientation {turn}"))
    if pixels.dtype != np.uint8:
        code = "deep" if pixels.dtype == np.uint16 else "unusual"
        faults.append((code, f"{pixels.dtype}, up to {pixels.max():g}"))
    digest = blake2b(pixels.tobytes(), digest_size=16, key=str(pixels.shape).encode())
    return FileState(tuple(faults), digest.hexdigest())


def is_whole(raw: bytes) -> bool:
    """Return whether a JPEG or PNG has its end; of other formats the decoder must tell."""
    if raw.startswith(PNG):
        return b"IEND" in raw[-4096:]
    if not raw.startswith(JPEG):
        return True
    # Behind the start of the scan no entropy-coded byte can look like an end; a thumbnail before
    # it has an end of its own.
    scans = [found.start() for found in SCAN.finditer(raw)]
    return bool(scans) and raw.find(b"\xff\xd9", scans[-1]) >= 0


def orientation(raw: bytes) -> int:
    """Return a JPEG's EXIF orientation, 1 to 8; 1 where none is said."""
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


def _decode(raw: bytes, flags: int) -> np.ndarray | None:
    """Return the pixels: IMREAD_UNCHANGED as stored, IMREAD_COLOR as training reads them."""
    if not raw:
        return None
    try:
        pixels: np.ndarray | None = cv2.imdecode(np.frombuffer(raw, dtype=np.uint8), flags)
    except cv2.error:  # more pixels than OpenCV's limit, for one
        return None
    return pixels

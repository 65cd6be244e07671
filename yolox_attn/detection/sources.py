"""What is to be looked at: images, folders, patterns, videos, cameras, as one stream of frames."""

import glob
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from yolox_attn.console import printable
from yolox_attn.data.formats.content import IMAGE_SUFFIXES, files_below, images_below
from yolox_attn.detection.detector import Pixels, read_picture
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.names import CAMERA

VIDEO_SUFFIXES = frozenset({".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm"})
USUAL_RATE = 25.0  # frames a second, of a video or camera that does not say


@dataclass(frozen=True)
class Source:
    """An image file, a video file or a camera.

    Args:
        name: what it is called in the results: a path below the folder that was given, or as given.
        path: of the file; None of a camera.
        camera: its number.
    """

    name: str
    path: Path | None
    camera: int | None = None

    @property
    def moves(self) -> bool:
        """It is a video or a camera."""
        return self.path is None or self.path.suffix.lower() in VIDEO_SUFFIXES


@dataclass(frozen=True)
class Frame:
    """An image of a source; `number` counts the frames of a video from 0."""

    source: Source
    number: int
    pixels: Pixels


def find_sources(words: Sequence[str]) -> list[Source]:
    """Return the sources that the words name, each once: files, folders, patterns, "camera:0".

    Raises:
        InputError: nothing is there, a file is neither image nor video, or two results would have
            one name.
    """
    sources = {source.path or source.name: source for word in words for source in _named(word)}
    names: dict[str, Source] = {}
    for source in sources.values():
        other = names.setdefault(source.name, source)
        if other is not source:
            raise InputError(
                f"{other.path} and {source.path} are both called {printable(source.name)}: name "
                "the folder above them"
            )
    return list(sources.values())


def _named(word: str) -> Iterator[Source]:
    if match := CAMERA.fullmatch(word):
        yield Source(f"camera{match[1]}", None, int(match[1]))
        return
    path = expanded(word)
    if path.is_dir():
        files = images_below(path) + files_below(path, VIDEO_SUFFIXES)
        if not files:
            raise InputError(f"{word}: no image and no video in this folder")
        yield from (Source(file.relative_to(path).as_posix(), _whole(file)) for file in files)
        return
    files = [path] if path.is_file() else _matching(str(path))
    if not files:
        raise InputError(f"{printable(word)}: no such image, folder or video")
    for file in files:
        if file.suffix.lower() not in IMAGE_SUFFIXES | VIDEO_SUFFIXES:
            known = ", ".join(sorted(IMAGE_SUFFIXES | VIDEO_SUFFIXES))
            raise InputError(
                f"{printable(str(file))}: neither image nor video, by its ending: {known}"
            )
        yield Source(file.name, _whole(file))


def _whole(file: Path) -> Path:
    return Path(os.path.abspath(file))  # noqa: PTH100 - a link is what it is called


def _matching(pattern: str) -> list[Path]:
    found = glob.glob(pattern, recursive=True)  # noqa: PTH207 - Path.glob takes no whole paths
    return sorted(path for path in map(Path, found) if path.is_file())


class Video:
    """The frames of a video or a camera, read one by one.

    Attributes:
        rate: frames a second; size: (width, height).
        announced: how many frames the file says it has, 0 where it does not; read: how many came.
    """

    def __init__(self, source: Source) -> None:
        where: Any = source.camera if source.path is None else str(source.path)
        self.capture = cv2.VideoCapture(where)
        if not self.capture.isOpened():
            self.capture.release()
            what = f"camera {source.camera}" if source.path is None else f"video {source.path}"
            raise InputError(f"cannot open {printable(what)}")
        rate = self.capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else USUAL_RATE
        properties = (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
        width, height = (int(self.capture.get(each)) for each in properties)
        self.size = width, height
        self.announced = max(int(self.capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        self.source, self.read = source, 0

    def __iter__(self) -> Iterator[Frame]:
        try:
            while True:
                there, image = self.capture.read()
                if not there:
                    return
                self.read += 1
                yield Frame(self.source, self.read - 1, np.asarray(image, dtype=np.uint8))
        finally:
            self.capture.release()


def still(source: Source) -> Frame:
    """Return the frame of an image file.

    Raises:
        InputError: it cannot be read.
    """
    assert source.path is not None
    return Frame(source, 0, read_picture(source.path))

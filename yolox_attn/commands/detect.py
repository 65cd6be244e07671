"""`detect`: what a trained detector sees in images, videos, cameras."""

import argparse
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import cv2
from tqdm import tqdm

from yolox_attn.commands.common import prepare_process
from yolox_attn.console import count, echo
from yolox_attn.detection import Detector, load_detector
from yolox_attn.detection.detector import Pixels
from yolox_attn.detection.draw import draw
from yolox_attn.detection.results import Results, written
from yolox_attn.detection.sources import Frame, Source, Video, find_sources, still
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp


def detect(args: argparse.Namespace) -> int:
    """Detect as the words say; returns the exit code: 1 if a file could not be read.

    Raises:
        InputError: the words ask for what cannot be.
    """
    sources = find_sources(args.sources)
    output = args.output or Path("YOLOX_outputs", "detect", time.strftime("%Y%m%d-%H%M%S"))
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise InputError(f"-o {output} is there already, and not empty")
    prepare_process()
    named = args.exp_file is not None or args.name is not None
    detector = load_detector(
        args.ckpt,
        exp=load_exp(args.exp_file, args.name) if named else None,
        device=args.device,
        confidence=args.conf,
        nms_iou=args.nms,
        batch_size=args.batch_size,
    )
    output.mkdir(parents=True, exist_ok=True)
    start = time.perf_counter()
    with written(output) as results:
        work = Work(detector, results, output if args.draw else None)
        work.pictures([source for source in sources if not source.moves])
        for source in sources:
            if source.moves:
                work.video(source, args.frames)
    echo(f"{count(results.images, 'image')}, {count(results.boxes, 'box', 'boxes')}: {output}")
    if results.images:
        echo(work.speed(time.perf_counter() - start))
    for line in work.failed:
        echo(f"error: {line}", err=True)
    return 1 if work.failed else 0


@dataclass
class Work:
    """A detector at work.

    Args:
        pictures_to: the folder of drawn pictures and videos; None draws nothing.
        failed: what could not be read, a line each.
        reading, drawing: seconds that these took, saving with drawing.
    """

    detector: Detector
    results: Results
    pictures_to: Path | None
    failed: list[str] = field(default_factory=list)
    reading: float = 0.0
    drawing: float = 0.0

    def pictures(self, sources: Sequence[Source]) -> None:
        """Look at image files; one that cannot be read is named, and the others are done."""
        bar = tqdm(sources, unit="image", leave=False, disable=None)
        frames = self.timed(self.readable(bar))
        for frame, drawn in self.looked_at(frames):
            if self.pictures_to is not None and drawn is not None:
                path = self.pictures_to / frame.source.name
                path.parent.mkdir(parents=True, exist_ok=True)
                with self.drawing_time():
                    write_picture(path, drawn)

    def readable(self, sources: Iterable[Source]) -> Iterator[Frame]:
        """Yield the frames of the files that can be read."""
        for source in sources:
            try:
                frame = still(source)
                self.detector.check(frame.pixels)
                yield frame
            except InputError as error:
                self.failed.append(f"{source.name}: {error}")

    def video(self, source: Source, most: int | None) -> None:
        """Look at a video or a camera, and write it anew with its boxes."""
        try:
            video = Video(source)
        except InputError as error:
            self.failed.append(str(error))
            return
        total = min(filter(None, (most, video.announced)), default=None)
        bar = tqdm(islice(video, most), source.name, total, unit="frame", leave=False, disable=None)
        writer = None
        if self.pictures_to is not None:
            path = self.pictures_to / f"{source.name}.mp4"
            path.parent.mkdir(parents=True, exist_ok=True)
            writer = cv2.VideoWriter(
                str(path), cv2.VideoWriter.fourcc(*"mp4v"), video.rate, video.size
            )
            if not writer.isOpened():
                self.failed.append(f"{source.name}: no video of {video.size} can be written")
        try:
            for _, drawn in self.looked_at(self.timed(bar)):
                if writer is not None and drawn is not None:
                    with self.drawing_time():
                        writer.write(drawn)
        finally:
            if writer is not None:
                writer.release()
        wanted = video.announced if most is None else min(most, video.announced)
        if video.read < wanted or not video.read:
            self.failed.append(
                f"{source.name}: {video.read} of {wanted} frames could be read; it is cut off or "
                "damaged"
            )

    def looked_at(self, frames: Iterator[Frame]) -> Iterator[tuple[Frame, Pixels | None]]:
        """Yield each frame as it was, and drawn on; what is found is written meanwhile."""
        while batch := list(islice(frames, self.detector.batch_size)):
            found = self.detector.detect([frame.pixels for frame in batch])
            for frame, detections in zip(batch, found, strict=True):
                self.results.add(frame, detections)
                drawn = None
                if self.pictures_to is not None:
                    with self.drawing_time():
                        drawn = draw(frame.pixels, detections)
                yield frame, drawn

    def timed(self, frames: Iterable[Frame]) -> Iterator[Frame]:
        """Yield the frames, and count the time until each comes."""
        frames = iter(frames)
        while True:
            start = time.perf_counter()
            frame = next(frames, None)
            self.reading += time.perf_counter() - start
            if frame is None:
                return
            yield frame

    @contextmanager
    def drawing_time(self) -> Iterator[None]:
        """Count the time of the block as drawing."""
        start = time.perf_counter()
        yield
        self.drawing += time.perf_counter() - start

    def speed(self, seconds: float) -> str:
        """Return images a second in all, and the milliseconds of an image by part."""
        images, timing = self.results.images, self.detector.timing
        parts = {
            "read": self.reading,
            "network": timing.forward,
            "NMS": timing.nms,
            "draw and save": self.drawing,
        }
        shown = ", ".join(f"{name} {1000 * each / images:.1f}" for name, each in parts.items())
        return f"{images / seconds:.1f} images a second; ms an image: {shown}"


def write_picture(path: Path, pixels: Pixels) -> None:
    """Write an image in the format of its name's ending.

    Raises:
        OSError: it cannot be written.
    """
    _, content = cv2.imencode(path.suffix, pixels)
    path.write_bytes(content.tobytes())  # of any name, and an error is one

"""The image files of one split, all of them or a sample, decoded by several threads."""

import os
from collections.abc import Iterator
from functools import partial
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
from tqdm import tqdm

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor.files import FileState, examine_file
from yolox_attn.data.doctor.report import Finding, Level, finding

SAMPLE = 64  # images of a split that the quick form decodes

FAULTS: dict[str, tuple[Level, str]] = {
    "unreadable": ("error", "images that cannot be read"),
    "truncated": ("error", "images that are cut off"),
    "wrong_size": ("error", "images of another size than the json says: boxes would be misplaced"),
    "rotated": ("warning", "images with an EXIF rotation or mirroring: see that the boxes fit"),
    "deep": ("warning", "images of more than 8 bits: divided by 256 when read, 12 bits go black"),
    "unusual": ("warning", "images of no whole 8 or 16 bits: see how they look when read as 8"),
}


def image_file(dataset: CocoDetection, index: int) -> Path:
    """Return the path of an image of the dataset."""
    return Path(str(dataset.data_dir), str(dataset.name), dataset.annotations[index][3])


def read_images(
    dataset: CocoDetection, split: str, *, full: bool, progress: bool
) -> dict[int, FileState]:
    """Decode images: index -> what was found. All with `full`, else some, evenly spread."""
    count = len(dataset)
    chosen = np.arange(count) if full else np.unique(np.linspace(0, count - 1, SAMPLE).astype(int))
    indices = [int(index) for index in chosen]

    def examine(index: int) -> FileState:
        return examine_file(image_file(dataset, index), dataset.annotations[index][1])

    bar = partial(tqdm, desc=split, unit="image", disable=None if progress else True)
    with ThreadPool(min(8, os.cpu_count() or 1)) as pool:
        states = list(bar(pool.imap(examine, indices), total=len(indices)))
    return dict(zip(indices, states, strict=True))


def examine_images(
    dataset: CocoDetection, split: str, states: dict[int, FileState], *, full: bool
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

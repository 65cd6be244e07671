"""What was measured of a file of detections, kept: a report made again does not match again.

In the user's own cache and not next to the detections, so that what is judged of a run that
somebody else made comes from its detections alone.
"""

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.evaluate import best_matcher
from yolox_attn.machine import cache_folder
from yolox_attn.runs import file_hash, replacing
from yolox_attn.stats.measured import Measured, Resamples, measure_file
from yolox_attn.stats.weighted_ap import best_engine

FORM = 1  # of what is kept and of how it is measured
DAMAGED = (OSError, EOFError, ValueError, LookupError, TypeError, zipfile.BadZipFile)


def measure_once(path: Path, resamples: Resamples) -> Measured:
    """Return `measure_file(path, resamples)`, or what it returned for the same content before.

    Raises:
        InputError: as `measure_file`.
    """
    try:
        file = cache_folder() / "measured" / f"{key_of(path, resamples)}.npz"
    except OSError:  # it says better what is wrong with the detections
        return measure_file(path, resamples)
    known = _read(file, resamples)
    if known is None:
        known = measure_file(path, resamples)
        _write(file, known)
    return known


def key_of(path: Path, resamples: Resamples) -> str:
    """Return a digest of all that what is measured depends on: bytes, images, draws, engines."""
    engines = best_matcher().name, best_engine().name
    parts = [FORM, *engines, np.__version__, file_hash(path), resamples.digest]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _write(file: Path, measured: Measured) -> None:
    names = {"resampled": list(measured.resampled), "left_out": list(measured.left_out)}
    known: dict[str, Any] = {
        "metrics": measured.metrics,
        "unknown_categories": measured.unknown_categories,
        "content": measured.content,
        **names,
    }
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with replacing(file) as opened:
            np.savez(
                opened,
                allow_pickle=False,
                known=np.array(json.dumps(known)),
                resampled=np.stack(list(measured.resampled.values())),
                left_out=np.stack(list(measured.left_out.values())),
                by_class=measured.by_class,
                class_left_out=measured.class_left_out,
            )
    except OSError:  # a disk that is full, or a home that cannot be written: the next report waits
        return


def _read(file: Path, resamples: Resamples) -> Measured | None:
    """Return what the file holds; None if there is none, or it is damaged."""
    try:
        with np.load(file, allow_pickle=False) as kept:
            known = json.loads(str(kept["known"]))
            tables = {name: kept[name] for name in kept.files if name != "known"}
        blocks, classes = int(resamples.blocks.max()) + 1, len(resamples.truth.class_names)
        shapes = {
            "resampled": (len(known["resampled"]), len(resamples.weights)),
            "left_out": (len(known["left_out"]), blocks),
            "by_class": (classes,),
            "class_left_out": (blocks, classes),
        }
        if any(tables[name].shape != shape for name, shape in shapes.items()):
            return None
        return Measured(
            metrics={str(name): float(value) for name, value in known["metrics"].items()},
            resampled=_by_name(known["resampled"], tables["resampled"]),
            left_out=_by_name(known["left_out"], tables["left_out"]),
            by_class=tables["by_class"],
            class_left_out=tables["class_left_out"],
            unknown_categories=int(known["unknown_categories"]),
            content=str(known["content"]),
        )
    except DAMAGED:
        return None


def _by_name(names: list[str], rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    return dict(zip(names, rows, strict=True))

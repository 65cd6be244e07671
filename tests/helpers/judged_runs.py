"""Finished runs with a truth on disk and the detections behind their AP, for what judges them."""

import copy
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from resampled_sets import pycocotools_ap

from yolox_attn.runs import append_metrics, write_text

IMAGES = 36
VIDEOS = 6
CLASSES = ("cell", "plate")


def draw_truth(seed: int = 0, images: int = IMAGES) -> dict[str, Any]:
    """Draw a truth of two classes whose images belong to `VIDEOS` videos, as "video" says."""
    rng = np.random.default_rng(seed)
    objects: list[dict[str, Any]] = []
    for image in range(1, images + 1):
        for place in range(rng.integers(1, 5)):
            kind = int(rng.choice([1, 2], p=(0.7, 0.3)))
            box = [60.0 * place, *rng.uniform(20, 50, 3).round(1).tolist()]
            entry = {"id": len(objects) + 1, "image_id": image, "category_id": kind, "bbox": box}
            objects.append({**entry, "area": box[2] * box[3], "iscrowd": 0})
    return {
        "images": [
            {"id": k, "file_name": f"{k}.jpg", "width": 300, "height": 120, "video": k % VIDEOS}
            for k in range(1, images + 1)
        ],
        "categories": [{"id": k, "name": name} for k, name in enumerate(CLASSES, start=1)],
        "annotations": objects,
    }


def draw_detections(truth: dict[str, Any], blur: float, seed: int) -> list[dict[str, Any]]:
    """Draw boxes next to the true ones, worse with more `blur`, and some that find nothing."""
    rng = np.random.default_rng(seed)
    found = []
    for entry in truth["annotations"]:
        if rng.random() < 0.9 - blur:
            box = (np.array(entry["bbox"]) + rng.normal(0, 20 * blur, 4)).round(2).tolist()
            found.append({**_ids(entry), "bbox": box, "score": round(rng.uniform(0.2, 1), 3)})
        if rng.random() < 0.3:
            box = rng.uniform(10, 60, 4).round(2).tolist()
            found.append({**_ids(entry), "bbox": box, "score": round(rng.uniform(0, 0.5), 3)})
    return found


def _ids(entry: dict[str, Any]) -> dict[str, int]:
    return {key: entry[key] for key in ("image_id", "category_id")}


def write_json(path: Path, content: object) -> Path:
    write_text(path, json.dumps(content))
    return path


def metrics_of(truth: dict[str, Any], detections: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """COCO's metrics by pycocotools alone, fractions."""
    found = pycocotools_ap(copy.deepcopy(truth), copy.deepcopy(list(detections)))
    overall = {name: float(values[0]) for name, values in found.items()}
    return {name: None if np.isnan(value) else value for name, value in overall.items()}


@cache
def _found(blur: float, seed: int) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    content = draw_truth()
    detections = draw_detections(content, blur, seed)
    return detections, metrics_of(content, detections)


@dataclass(frozen=True)
class DrawnStudy:
    """A truth, and a function `write(name, seed, blur, **changes)` that leaves a finished run."""

    truth: Path
    content: dict[str, Any]
    write: Callable[..., Path]

    @property
    def data(self) -> dict[str, Any]:
        sha256 = hashlib.sha256(self.truth.read_bytes()).hexdigest()
        folder = str(self.truth.parent.parent)
        return {"dir": folder, "val_ann": self.truth.name, "val_sha256": sha256}


@pytest.fixture
def study(write_run: Callable[..., Path], tmp_path: Path) -> DrawnStudy:
    """A truth in COCO layout below tmp_path/data, and runs made on it."""
    content = draw_truth()
    truth = write_json(tmp_path / "data" / "annotations" / "v.json", content)

    def write(name: str, seed: int, blur: float, **changes: Any) -> Path:
        detections, metrics = _found(blur, seed)
        changes = {"data": drawn.data, "metrics": metrics, **changes}
        folder = write_run(name, seed, metrics["AP"], **changes)
        write_json(folder / "detections.json", detections)
        append_metrics(folder, {"epoch": 1, "total_loss": 9.0})
        append_metrics(folder, {"epoch": 3, "AP": metrics["AP"]})
        return folder

    drawn = DrawnStudy(truth, content, write)
    return drawn

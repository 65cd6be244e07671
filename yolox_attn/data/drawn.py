"""A detection set drawn by the package itself: no download, the same for a seed, kept in a cache.

Objects of five classes (scenes.py) on cluttered ground, 12 to 130 pixels across, hiding each other
in part. As in COCO, a box is the extent of what is visible and `area` counts visible pixels.
"""

import hashlib
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loguru import logger

from yolox_attn.data.cache import cached, write_manifest
from yolox_attn.data.scenes import CLASSES, MIN_VISIBLE, Scene, draw_scene
from yolox_attn.machine import cache_folder

VERSION = 1  # of the drawing: raise it whenever the same parameters give other pixels
CATEGORY_IDS = {name: number for number, name in enumerate(CLASSES, start=1)}


def drawn_set(
    root: Path | None = None,
    *,
    seed: int = 0,
    train_images: int = 480,
    val_images: int = 128,
    size: int = 160,
) -> Path:
    """Return the folder of the drawn set, in COCO layout; draw it first where it is not there.

    The folder's name holds a hash of the parameters, its manifest the hash of every file: a
    damaged set is drawn again. Several processes may call this at once.

    Args:
        root: the folder that will hold the set's own; None for `cache_folder()`.
        seed: another seed gives other images.
        train_images: images of the train split.
        val_images: images of the val split.
        size: height and width of the images, in pixels.

    Raises:
        InputError: the folder cannot be written.
    """
    parameters = {"seed": seed, "train": train_images, "val": val_images, "size": size}
    key = hashlib.sha256(json.dumps(parameters).encode()).hexdigest()[:8]
    folder = (root or cache_folder()) / f"drawn-{VERSION}-{key}"

    def draw(fresh: Path) -> None:
        logger.info("drawing the demo set in {}", folder)
        _draw(fresh, parameters)

    return cached(folder, draw)


def _draw(folder: Path, parameters: dict[str, int]) -> None:
    for index, split in enumerate(("train", "val")):
        rng = np.random.default_rng([VERSION, parameters["seed"], index])
        _draw_split(folder, split, parameters, rng)
    files = (path for path in folder.rglob("*") if path.is_file())
    write_manifest(folder, files, version=VERSION, parameters=parameters)


def _draw_split(
    folder: Path, split: str, parameters: dict[str, int], rng: np.random.Generator
) -> None:
    (folder / f"{split}2017").mkdir(parents=True)
    (folder / "annotations").mkdir(exist_ok=True)
    size = parameters["size"]
    images, annotations = [], []
    for index in range(1, parameters[split] + 1):
        name = f"{index:06}.png"
        scene = draw_scene(size, rng)
        if not cv2.imwrite(str(folder / f"{split}2017" / name), scene.pixels):
            raise OSError(f"cv2 cannot write {name}")
        images.append({"id": index, "file_name": name, "width": size, "height": size})
        annotations += [{"image_id": index, **entry} for entry in _visible_objects(scene)]
    content = {
        "info": {"description": f"drawn by yolox_attn, version {VERSION}", **parameters},
        "licenses": [],
        "images": images,
        "annotations": [{"id": number, **one} for number, one in enumerate(annotations, start=1)],
        "categories": [{"id": number, "name": name} for name, number in CATEGORY_IDS.items()],
    }
    (folder / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(content))


def _visible_objects(scene: Scene) -> list[dict[str, Any]]:
    objects = []
    for index, name in enumerate(scene.names):
        rows, columns = np.nonzero(scene.owners == index)
        if len(rows) < MIN_VISIBLE * scene.whole[index]:
            raise RuntimeError(f"{name} {index} is hidden")
        left, top = int(columns.min()), int(rows.min())
        box = [left, top, int(columns.max()) + 1 - left, int(rows.max()) + 1 - top]
        category = CATEGORY_IDS[name]
        objects.append({"category_id": category, "bbox": box, "area": len(rows), "iscrowd": 0})
    return objects

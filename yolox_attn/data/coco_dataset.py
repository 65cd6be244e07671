"""YOLOX's COCODataset without its silent traps: wrong boxes, stale caches, lost files."""

import contextlib
import io
import math
import os
from collections import Counter
from collections.abc import Callable
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from loguru import logger
from pycocotools.coco import COCO
from tqdm import tqdm
from yolox.data import COCODataset

from yolox_attn.coco.annotations import ANNOTATIONS, area_of, check_annotations, read_annotations
from yolox_attn.coco.checks import image_name
from yolox_attn.console import printable
from yolox_attn.data.coco_folder import missing_images, refuse_missing
from yolox_attn.data.shared_images import SharedImages
from yolox_attn.errors import InputError
from yolox_attn.machine import free_memory

Labels = tuple[np.ndarray, tuple[int, int], tuple[int, int], str]


class CocoDetection(COCODataset):  # type: ignore[misc]
    """YOLOX's dataset, to be used in its place: same constructor, same items.

    What differs: boxes are clipped to the image at both corners and dropped where nothing is left;
    `area` and `iscrowd` may be missing; class names follow the category ids; all files are looked
    for at the start; EXIF rotation cannot turn an image away from its boxes; the cache lives in
    RAM only, where forked workers share it (`keep_images`).

    Attributes:
        repairs: what was put right in memory, kind -> count: "clipped" and "dropped" boxes,
            "area" computed, "iscrowd" filled in, annotation "ids" shifted.
        kept: the images in memory; None: each is read from its file every time.

    Raises:
        InputError: the annotations are missing or broken, images are missing, or the cache is
            larger than the free memory.
    """

    def __init__(  # noqa: PLR0913 - YOLOX's arguments
        self,
        data_dir: str | None = None,
        json_file: str = "instances_train2017.json",
        name: str = "train2017",
        img_size: tuple[int, int] = (416, 416),
        preproc: Callable[..., Any] | None = None,
        cache: bool = False,  # noqa: FBT001, FBT002
    ) -> None:
        self.imgs = None  # YOLOX's __del__ wants it even if we fail here
        self.kept: SharedImages | None = None
        self.repairs: Counter[str] = Counter()
        try:
            with contextlib.redirect_stdout(io.StringIO()):  # pycocotools prints its progress
                super().__init__(data_dir, json_file, name, img_size, preproc)
        except InputError:
            raise
        except (OSError, ValueError, LookupError, TypeError, AssertionError):
            read_annotations(self._json_path())  # says what is wrong; if it cannot, the real error
            raise
        self._classes = tuple(c["name"] for c in self.coco.loadCats(self.class_ids))
        self.coco.dataset.setdefault("info", {})  # some pycocotools' loadRes needs the key
        if cache:
            self._cache_images()

    def image_file(self, index: int) -> Path:
        """Return the path of an image."""
        return Path(self.data_dir, self.name, self.annotations[index][3])

    def load_anno_from_ids(self, id_: int) -> Labels:
        """Return ((n, 5) boxes at input scale and classes, size, size at input scale, file name).

        Boxes are x1, y1, x2, y2 in pixels; sizes are (height, width). Crowds are left out.
        """
        image = self.coco.imgs[id_]
        height, width = image["height"], image["width"]
        entries = [entry for entry in self.coco.imgToAnns[id_] if not entry["iscrowd"]]
        boxes = np.array([entry["bbox"] for entry in entries], dtype=np.float64).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        inside = boxes.clip(0, [width, height, width, height])
        classes = [self.class_ids.index(entry["category_id"]) for entry in entries]
        kept = (inside[:, 2:] > inside[:, :2]).all(axis=1)
        self.repairs["dropped"] += int((~kept).sum())
        self.repairs["clipped"] += int((inside != boxes).any(axis=1)[kept].sum())
        scale = min(self.img_size[0] / height, self.img_size[1] / width)
        labels = np.column_stack([inside * scale, classes])[kept]
        resized = (int(height * scale), int(width * scale))
        return labels, (height, width), resized, image_name(image)

    def load_image(self, index: int) -> np.ndarray:
        """Return the image (H, W, 3), BGR, of the size that the json says.

        Raises:
            InputError: the file cannot be decoded or has another size.
        """
        size, file = self.annotations[index][1], self.image_file(index)
        image = _decode(file, cv2.IMREAD_COLOR)
        if image.shape[:2] != size:  # boxes may have been drawn on the image as it is stored
            image = _decode(file, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if image.shape[:2] != size:
            real, listed = (f"{width}x{height}" for height, width in (image.shape[:2], size))
            raise InputError(
                f"image {printable(str(file))} is {real}, {self.json_file} says {listed}"
            )
        return image

    def _json_path(self) -> Path:
        return Path(self.data_dir, ANNOTATIONS, self.json_file)

    def _load_coco_annotations(self) -> list[Labels]:
        check_annotations(self.coco.dataset, str(self._json_path()))
        folder = Path(self.data_dir) / self.name
        images = self.coco.dataset["images"]
        refuse_missing(missing_images(folder, images), images, self._json_path(), folder)
        self.repairs = Counter(complete_annotations(self.coco.dataset["annotations"]))
        self.repairs["ids"] = start_ids_at_one(self.coco)
        loaded: list[Labels] = super()._load_coco_annotations()
        self.repairs = +self.repairs  # only what did occur
        return loaded

    def keep_images(self) -> None:
        """Keep images at input size when they are read, in at most a quarter of the free memory.

        Another quarter stays free of them, whatever training and other runs take meanwhile. Workers
        that are forked afterwards fill the same memory. An image file that is changed later is not
        read again: a run is about one data set.
        """
        limit = free_memory() // 4
        sizes = self._resized_sizes()
        self.kept = SharedImages(sizes, limit=limit, reserve=limit)
        if self.kept.places < len(sizes):
            logger.info(
                f"memory for {self.kept.places:,} of {len(sizes):,} training images "
                f"({limit / 2**30:.1f} GiB); the others are read from their files each time"
            )

    def load_resized_img(self, index: int) -> np.ndarray:
        """Return the image at input size, (h, w, 3), BGR, uint8; the caller may write into it."""
        image = self.kept.get(index) if self.kept is not None else None
        if image is None:
            image = super().load_resized_img(index)
            if self.kept is not None:
                self.kept.put(index, image)
        return image

    def _resized_sizes(self) -> list[tuple[int, int]]:
        return [resized for _, _, resized, _ in self.annotations]

    def _cache_images(self) -> None:
        sizes, free = self._resized_sizes(), free_memory()
        needed = sum(3 * height * width for height, width in sizes)
        ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))  # each keeps all images
        if ranks * needed > 0.9 * free:
            raise InputError(
                f"--cache needs {ranks * needed / 2**30:.1f} GiB for the {len(sizes)} images of"
                f" {self._json_path()}, {free / 2**30:.1f} GiB are free; train without it"
            )
        self.kept = SharedImages(sizes, limit=needed)
        if self.kept.places < len(sizes):
            raise InputError("--cache: the system grants no shared memory; train without it")
        with ThreadPool(min(8, os.cpu_count() or 1)) as pool:
            read = pool.imap_unordered(self.load_resized_img, range(len(sizes)))
            for _ in tqdm(read, "cache", len(sizes), disable=None):
                pass


def complete_annotations(annotations: list[dict[str, Any]]) -> dict[str, int]:
    """Fill in, in place, what pycocotools' evaluation needs and other tools leave out.

    Returns:
        how often: {"area": ..., "iscrowd": ...}.
    """
    filled = {"area": 0, "iscrowd": 0}
    for entry in annotations:
        if entry.get("iscrowd") is None:
            entry["iscrowd"] = 0
            filled["iscrowd"] += 1
        if not 0 < (entry.get("area") or 0) < math.inf:
            entry["area"] = area_of(entry)
            filled["area"] += 1
    return filled


def start_ids_at_one(coco: COCO) -> int:
    """Shift annotation ids that are 0 or less: COCOeval takes the id 0 for "no match".

    Returns:
        how many were changed.
    """
    first = min(coco.anns, default=1)
    if first >= 1:
        return 0
    for entry in coco.dataset["annotations"]:
        entry["id"] += 1 - first
    coco.createIndex()
    return len(coco.dataset["annotations"])


def _decode(file: Path, flags: int) -> np.ndarray:
    # From bytes: cv2.imread ends the process on a name that is no text of the file system's.
    image = None
    if file.is_file():
        with contextlib.suppress(OSError, cv2.error):
            data = np.fromfile(file, dtype=np.uint8)
            image = cv2.imdecode(data, flags) if data.size else None
    if image is None:
        raise InputError(
            f"cannot read image {printable(str(file))}: it is missing, empty or no image"
        )
    return image

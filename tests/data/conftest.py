import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

Content = dict[str, Any]


def contents(split: str) -> Content:
    """Two images of 40x30 with one object each, of non-contiguous and unsorted categories."""
    images = [
        {"id": index, "file_name": f"{split}{index}.png", "width": 40, "height": 30}
        for index in (1, 2)
    ]
    boxes = [
        {"id": index, "image_id": index, "category_id": category, "bbox": [5, 5, 20, 10]}
        for index, category in ((1, 7), (2, 3))
    ]
    categories = [{"id": 7, "name": "seven"}, {"id": 3, "name": "three"}]
    return {
        "images": images,
        "annotations": [box | {"area": 200, "iscrowd": 0} for box in boxes],
        "categories": categories,
    }


def write(root: Path, file: str, folder: str, split: str) -> None:
    content = contents(split)
    (root / "annotations").mkdir(parents=True, exist_ok=True)
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "annotations" / file).write_text(json.dumps(content))
    for image in content["images"]:
        pixels = np.full((30, 40, 3), image["id"] * 20, dtype=np.uint8)
        cv2.imwrite(str(root / folder / image["file_name"]), pixels)


@pytest.fixture
def write_split() -> Callable[[Path, str, str, str], None]:
    """Return a function that writes an annotation file and its images below a folder."""
    return write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small sound folder in the stock layout."""
    for split in ("train", "val"):
        write(tmp_path, f"instances_{split}2017.json", f"{split}2017", split)
    return tmp_path


@pytest.fixture
def spoil(folder: Path) -> Callable[[Callable[[Content], Any]], Path]:
    """Return a function that changes the train annotations of `folder` and returns `folder`."""

    def change(function: Callable[[Content], Any]) -> Path:
        file = folder / "annotations" / "instances_train2017.json"
        content = json.loads(file.read_text())
        function(content)
        file.write_text(json.dumps(content))
        return folder

    return change

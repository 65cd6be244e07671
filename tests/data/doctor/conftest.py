from collections.abc import Callable
from pathlib import Path

import pytest

from yolox_attn.data.coco_dataset import CocoDetection


@pytest.fixture
def load(folder: Path) -> Callable[[str], CocoDetection]:
    """Return a function that loads a split of `folder`, with the images of that split."""

    def split(name: str) -> CocoDetection:
        return CocoDetection(str(folder), f"instances_{name}2017.json", f"{name}2017")

    return split

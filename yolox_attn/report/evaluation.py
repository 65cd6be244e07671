"""What the eval command left of a run: figures.json beside its detections."""

import json
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError

FIGURES_NAME = "figures.json"
NEEDED = ("figures", "checkpoint", "split", "annotations", "test_size")


def read_evaluation(folder: Path) -> dict[str, Any]:
    """Return what figures.json in `folder` says.

    Raises:
        InputError: it cannot be read, or is another file of that name.
    """
    path = folder / FIGURES_NAME
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(told, dict):
        raise InputError(f"{path}: not what the eval command writes: no JSON object")
    if lost := [key for key in NEEDED if key not in told]:
        raise InputError(f"{path}: not what the eval command writes: {', '.join(lost)} missing")
    return told

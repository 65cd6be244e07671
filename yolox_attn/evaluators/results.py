"""Detections in the form that the COCO tools read, and what they cost."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from yolox_attn.errors import InputError
from yolox_attn.runs import finite, write_text


def to_results(
    found: dict[int, Tensor], class_ids: list[int], num_classes: int
) -> list[dict[str, Any]]:
    """Write rows of `predict` as COCO results, category ids taken from `class_ids`.

    Raises:
        InputError: a class was predicted that the set does not have.
    """
    results: list[dict[str, Any]] = []
    for image_id, rows in found.items():
        corners, scores = rows[:, :4], rows[:, 4] * rows[:, 5]
        boxes = torch.cat((corners[:, :2], corners[:, 2:] - corners[:, :2]), dim=1)
        for label, box, score in zip(
            rows[:, 6].int().tolist(), boxes.tolist(), scores.tolist(), strict=True
        ):
            if label >= len(class_ids):
                raise InputError(
                    f"class {label} was predicted (num_classes is {num_classes}), but the "
                    f"evaluation set has {len(class_ids)} categories; make the two agree"
                )
            results.append(
                {
                    "image_id": image_id,
                    "category_id": int(class_ids[label]),
                    "bbox": box,
                    "score": score,
                }
            )
    return results


def timing_line(timing: dict[str, float]) -> str:
    """Say what an image costs, in the host's words."""
    forward, nms = timing["forward_ms"], timing["nms_ms"]
    return (
        f"Average forward time: {forward:.2f} ms, Average NMS time: {nms:.2f} ms, "
        f"Average inference time: {forward + nms:.2f} ms\n"
    )


def write_results(
    folder: Path, detections: list[dict[str, Any]], report: dict[str, Any]
) -> list[Path]:
    """Write detections.json (COCO results, one a line) and figures.json; return their paths."""
    lines = ",\n".join(json.dumps(detection) for detection in detections)
    texts = {
        "detections.json": f"[\n{lines}\n]\n",
        "figures.json": json.dumps(finite(report), indent=2, allow_nan=False) + "\n",
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]

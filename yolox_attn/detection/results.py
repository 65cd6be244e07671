"""Detections on the disk as they come: JSON lines, a csv, COCO results; none kept in memory."""

import csv
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from yolox_attn.console import printable
from yolox_attn.detection.detector import Detections
from yolox_attn.detection.sources import Frame

JSONL, CSV, COCO = "detections.jsonl", "detections.csv", "coco_results.json"
COLUMNS = ("image_id", "file", "frame", "class", "score", "left", "top", "right", "bottom")


class Results:
    """Three open files; `add` writes a frame's detections to each."""

    def __init__(self, lines: Any, table: Any, coco: Any) -> None:
        self.lines, self.coco = lines, coco
        self.table = csv.writer(table)
        self.table.writerow(COLUMNS)
        self.images = self.boxes = 0

    def add(self, frame: Frame, found: Detections) -> None:
        """Write a frame's detections under the next image id, from 1."""
        self.images += 1
        height, width = frame.pixels.shape[:2]
        boxes = [[round(float(side), 2) for side in box] for box in found.xyxy]
        scores = [round(float(score), 5) for score in found.scores]
        rows = list(zip(boxes, scores, found.class_ids.tolist(), found.class_names, strict=True))
        content = {
            "image_id": self.images,
            "file": frame.source.name,
            "frame": frame.number if frame.source.moves else None,
            "width": width,
            "height": height,
            "detections": [
                {"class": name, "class_id": number, "score": score, "xyxy": box}
                for box, score, number, name in rows
            ],
        }
        self.lines.write(json.dumps(content, ensure_ascii=False) + "\n")
        for box, score, number, name in rows:
            cells = [_cell(frame.source.name), content["frame"], _cell(name)]
            self.table.writerow([self.images, *cells, score, *box])
            left, top, right, bottom = box
            sides = [left, top, round(right - left, 2), round(bottom - top, 2)]
            entry = {"image_id": self.images, "category_id": number, "bbox": sides, "score": score}
            self.coco.write(("," if self.boxes else "") + "\n" + json.dumps(entry))
            self.boxes += 1


@contextmanager
def written(folder: Path) -> Iterator[Results]:
    """Open the three files in a folder; they are whole, whatever ends the work."""
    with ExitStack() as stack:
        lines, table, coco = (
            stack.enter_context(
                (folder / name).open("w", encoding="utf-8", errors="backslashreplace", newline="")
            )
            for name in (JSONL, CSV, COCO)
        )
        coco.write("[")
        try:
            yield Results(lines, table, coco)
        finally:
            coco.write("\n]\n")


def _cell(text: str) -> str:
    """Return a text that a spreadsheet takes for text: a name may begin as a formula does."""
    text = printable(text)
    return f"'{text}" if text[:1] in "=+-@" else text

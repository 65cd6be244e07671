"""What was found, on the disk in three forms that agree, whole whatever happens."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from yolox_attn.detection import Detections
from yolox_attn.detection.results import COCO, CSV, JSONL, written
from yolox_attn.detection.sources import Frame, Source

NAMES = ("cat", "=dog")


def frame(name: str, number: int = 0) -> Frame:
    return Frame(Source(name, Path("/x") / name), number, np.zeros((48, 64, 3), np.uint8))


def detections(*rows: tuple[float, float, float, float, float, int]) -> Detections:
    array = np.array(rows, dtype=np.float32).reshape(-1, 6)
    return Detections(array[:, :4], array[:, 4], array[:, 5].astype(np.int64), NAMES)


def test_three_files_say_the_same(tmp_path: Path) -> None:
    with written(tmp_path) as results:
        results.add(frame("a.png"), detections((1, 2, 11, 22.5, 0.75, 1), (0, 0, 5, 5, 0.5, 0)))
        results.add(frame("b.png"), detections())
        results.add(frame("c.avi", 7), detections((3, 3, 9, 9, 0.25, 0)))
    lines = [json.loads(line) for line in (tmp_path / JSONL).read_text().splitlines()]
    assert [(each["image_id"], each["file"], each["frame"]) for each in lines] == [
        (1, "a.png", None), (2, "b.png", None), (3, "c.avi", 7),
    ]  # fmt: skip
    assert lines[0]["detections"][0] == {
        "class": "=dog", "class_id": 1, "score": 0.75, "xyxy": [1.0, 2.0, 11.0, 22.5],
    }  # fmt: skip
    coco = json.loads((tmp_path / COCO).read_text())
    assert coco[0] == {
        "image_id": 1, "category_id": 1, "bbox": [1.0, 2.0, 10.0, 20.5], "score": 0.75,
    }  # fmt: skip
    rows = list(csv.DictReader((tmp_path / CSV).open()))
    assert [row["class"] for row in rows] == ["'=dog", "cat", "cat"]  # no formula
    assert len(coco) == len(rows) == sum(len(each["detections"]) for each in lines)


def test_they_are_whole_when_the_work_is_broken_off(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), written(tmp_path) as results:
        results.add(frame("a.png"), detections((1, 2, 11, 22, 0.75, 1)))
        raise KeyboardInterrupt
    assert len(json.loads((tmp_path / COCO).read_text())) == 1
    assert len((tmp_path / JSONL).read_text().splitlines()) == 1

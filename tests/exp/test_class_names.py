"""What the classes are called: by the run's annotations, its metrics, COCO, or by number."""

from collections.abc import Callable
from pathlib import Path

import pytest
from short_run import short_run

from yolox_attn.exp.class_names import class_names
from yolox_attn.runs import RunRecord, read_record

DRAWN = ["disc", "ring", "square", "grate", "star"]


@pytest.fixture
def record(drawn: Path, tmp_path: Path) -> RunRecord:
    return read_record(short_run(drawn, tmp_path))


def test_the_annotations_of_the_run_name_them(tiny: Callable, record: RunRecord) -> None:
    assert class_names(tiny(), record) == DRAWN
    assert [*record.class_ap] == DRAWN


def test_other_annotations_at_their_place_do_not(tiny: Callable, record: RunRecord) -> None:
    record.data["val_sha256"] = "0" * 64
    record.class_ap = dict.fromkeys("vwxyz", 0.5)
    assert class_names(tiny(), record) == [*"vwxyz"]
    record.data["dir"] = "/nowhere"
    assert class_names(tiny(), record) == [*"vwxyz"]


def test_without_a_run_the_data_name_them(tiny: Callable) -> None:
    assert class_names(tiny()) == DRAWN


def test_without_either_they_are_coco_s_or_numbers(tiny: Callable) -> None:
    exp = tiny(data_dir=None)
    assert class_names(exp) == [f"class {number}" for number in range(5)]
    exp.num_classes = 80
    assert class_names(exp)[:2] == ["person", "bicycle"]

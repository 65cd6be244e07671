import math
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.runs import append_metrics, keep_metrics, read_metrics


def test_metrics_keep_one_row_an_epoch(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == []
    for epoch in (1, 2, 3):
        append_metrics(tmp_path, {"epoch": epoch, "loss": 1.0 / epoch})
    append_metrics(tmp_path, {"epoch": 2, "loss": math.nan})  # resumed after epoch 1
    assert read_metrics(tmp_path) == [{"epoch": 1, "loss": 1.0}, {"epoch": 2, "loss": None}]


@pytest.mark.parametrize("line", ['{"epoch": 2, "lo', "[2]", '{"loss": 2}'])
def test_a_broken_metrics_line_is_named(tmp_path: Path, line: str) -> None:
    append_metrics(tmp_path, {"epoch": 1})
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write(line)
    with pytest.raises(InputError, match=r"metrics\.jsonl, line 2"):
        read_metrics(tmp_path)


def test_a_resumed_run_keeps_the_rows_before_its_start(tmp_path: Path) -> None:
    for epoch in (1, 2, 3):
        append_metrics(tmp_path, {"epoch": epoch})
    keep_metrics(tmp_path, 2)
    assert read_metrics(tmp_path) == [{"epoch": 1}, {"epoch": 2}]
    keep_metrics(tmp_path, 0)
    assert read_metrics(tmp_path) == []

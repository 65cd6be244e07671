import math
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.runs import append_metrics, keep_metrics, read_metrics
from yolox_attn.runs.metrics import set_damaged_aside


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


@pytest.mark.parametrize(
    ("spoilt", "kept"),
    [
        (b'{"epoch": 1}\n{"epoch": 2}\n{"epo', 2),
        (b'\xff\xfe{"epoch": 1}', 0),
        (b'{"epoch": 1}\n' + 5000 * b"[" + b"\n", 1),
        (b'{"epoch": 1}\n{"epoch": 1e999}\n', 1),
        (None, 0),  # a folder in its place
    ],
)
def test_damaged_metrics_are_set_aside_and_sound_rows_go_on(
    tmp_path: Path, spoilt: bytes | None, kept: int
) -> None:
    path = tmp_path / "metrics.jsonl"
    assert set_damaged_aside(tmp_path) is None
    path.mkdir() if spoilt is None else path.write_bytes(spoilt)
    said = set_damaged_aside(tmp_path)
    assert said is not None
    assert said.endswith(f"kept as metrics.jsonl.damaged; {kept} of its rows are taken over")
    assert len(read_metrics(tmp_path)) == kept
    if spoilt is not None:
        assert (tmp_path / "metrics.jsonl.damaged").read_bytes() == spoilt
    assert set_damaged_aside(tmp_path) is None

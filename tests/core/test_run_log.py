import dataclasses
import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from loguru import logger
from run_folders import make_record

from yolox_attn.core.run_log import RunLog
from yolox_attn.errors import InputError, Interrupted, TrainingError
from yolox_attn.runs import file_hash, held, read_metrics, read_record


@contextmanager
def started(folder: Path, **changes: object) -> Iterator[RunLog]:
    """The log of a run that does nothing."""
    log = RunLog(folder, rank=0, device=torch.device("cpu"))
    fresh = {"state": "running", "epoch": 0, "pid": 1} | changes
    with log.open():
        record = dataclasses.replace(make_record("yolox_s", 0, None), **fresh)
        log.start(record, "tensorboard", {})
        yield log


def test_a_run_leaves_everything_behind(whole: Path) -> None:
    names = {path.name for path in whole.iterdir()}
    assert {
        "train_log.txt", "tensorboard", "latest_ckpt.pth", "best_ckpt.pth", "metrics.jsonl",
        "detections.json", "run.json",
    } <= names  # fmt: skip
    assert list((whole / "tensorboard").iterdir())
    assert isinstance(json.loads((whole / "detections.json").read_text()), list)
    rows = read_metrics(whole)
    assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert {"total_loss", "iou_loss", "lr", "AP", "train_seconds"} <= row.keys()
    text = (whole / "train_log.txt").read_text()
    assert "mean loss" in text
    logger.info("after the run")
    assert (whole / "train_log.txt").read_text() == text


def test_the_record_says_what_was_run(whole: Path) -> None:
    record = read_record(whole)
    assert (record.name, record.seed, record.state, record.epoch) == ("tiny", 0, "finished", 4)
    assert record.attention["dark4"]["block"] == "eca"
    assert record.attention["dark4"]["parameters"] == {"conv.weight": [1, 1, 3]}
    assert record.config["max_epoch"] == 4
    assert (record.data["train_images"], record.data["classes"]) == (12, 5)
    assert record.versions["yolox"] == "0.3.0"
    assert record.metrics.keys() >= {"AP", "AP50", "APs"}
    assert record.threads == 1
    assert record.parameters == record.trainable_parameters > 1e5
    assert record.gflops > 0
    assert record.seconds > 0
    assert record.images_per_second > 0
    assert record.started <= record.ended
    assert (record.batch_size, record.accumulate, record.processes) == (2, 2, 1)
    assert record.deterministic is False
    assert record.cpu
    assert record.host
    assert record.resumed == []


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (Interrupted("stopped"), "interrupted"),
        (KeyboardInterrupt(), "interrupted"),
        (TrainingError("loss is nan"), "failed"),
        (RuntimeError("the roof fell in"), "failed"),
    ],
)
def test_the_record_says_how_it_ended(tmp_path: Path, error: BaseException, state: str) -> None:
    with pytest.raises(type(error)), started(tmp_path):
        raise error
    record = read_record(tmp_path)
    assert (record.state, record.error) == (state, f"{type(error).__name__}: {error}")
    assert record.ended >= record.started


def test_a_full_disk_does_not_hide_why_the_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(TrainingError, match="loss is nan"), started(tmp_path):
        monkeypatch.setattr("yolox_attn.core.run_log.write_record", full)
        raise TrainingError("loss is nan")


def test_no_other_process_may_train_there_meanwhile(tmp_path: Path) -> None:
    with started(tmp_path):
        assert held(tmp_path)
        assert read_record(tmp_path).state == "running"
    assert held(tmp_path) is False


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    says = r"cannot make the run's folder .*: Not a directory; set output_dir"
    with pytest.raises(InputError, match=says), started(tmp_path / "file" / "seed0"):
        pass


def test_what_a_killed_run_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".latest_ckpt.pth.1.tmp").write_text("half")
    with started(tmp_path):
        pass
    assert not list(tmp_path.glob("*.tmp"))
    assert not list(tmp_path.glob(".*.tmp"))


def test_a_continued_run_keeps_its_metrics_and_adds_to_its_time(tmp_path: Path) -> None:
    with started(tmp_path) as log:
        for epoch in (1, 2, 3):
            log.epoch({"epoch": epoch})
        log.detections([{"image_id": 1}])
    with started(tmp_path, epoch=2, seconds=100.0, resumed=[{"epoch": 2}]):
        pass
    assert [row["epoch"] for row in read_metrics(tmp_path)] == [1, 2]
    assert 100 < read_record(tmp_path).seconds < 200
    assert (tmp_path / "detections.json").exists()
    with started(tmp_path):
        assert not read_metrics(tmp_path)
        assert not (tmp_path / "detections.json").exists()


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "x", rank=1, device=torch.device("cpu"))
    with log.open():
        log.detections([])
        log.epoch({"epoch": 1})
        log.update(state="failed")
    assert not (tmp_path / "x").exists()


def test_the_record_of_a_fine_tuning_names_its_checkpoint(
    whole: Path, tiny: Callable, train: Callable
) -> None:
    path = str(whole / "latest_ckpt.pth")
    record = read_record(train(tiny(attention="eca", max_epoch=1), ckpt=path).folder)
    began = {key: record.pretrained[key] for key in ("file", "sha256")}
    assert began == {"file": path, "sha256": file_hash(Path(path))}

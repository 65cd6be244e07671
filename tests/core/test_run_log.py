import dataclasses
import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from run_folders import make_record

from yolox_attn.core.describe import first_record
from yolox_attn.core.run_log import Journal
from yolox_attn.errors import InputError, Interrupted, TrainingError
from yolox_attn.runs import held, read_metrics, read_record


@contextmanager
def started(folder: Path, **changes: object) -> Iterator[Journal]:
    """The journal of a run that does nothing."""
    journal = Journal(folder, rank=0, device=torch.device("cpu"))
    fresh = {"state": "running", "epoch": 0, "pid": 1} | changes
    with journal.open():
        record = dataclasses.replace(make_record("yolox_s", 0, None), **fresh)
        journal.start(record, "tensorboard", {})
        yield journal


@pytest.fixture
def finished(tiny: Callable, train: Callable) -> Path:
    return train(tiny(attention="eca", max_epoch=2, eval_interval=1)).folder


def test_a_run_leaves_everything_behind(finished: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert {
        "train_log.txt", "tensorboard", "latest_ckpt.pth", "best_ckpt.pth", "metrics.jsonl",
        "detections.json", "run.json",
    } <= names  # fmt: skip
    assert list((finished / "tensorboard").iterdir())
    assert "mean loss" in (finished / "train_log.txt").read_text()
    assert isinstance(json.loads((finished / "detections.json").read_text()), list)


def test_metrics_of_each_epoch(finished: Path) -> None:
    rows = read_metrics(finished)
    assert [row["epoch"] for row in rows] == [1, 2]
    assert all(
        {"total_loss", "iou_loss", "lr", "AP", "train_seconds"} <= row.keys() for row in rows
    )


def test_the_record_says_what_was_run(finished: Path) -> None:
    record = read_record(finished)
    assert (record.name, record.seed, record.state, record.epoch) == ("tiny", 0, "finished", 2)
    assert record.attention["dark4"]["block"] == "eca"
    assert record.attention["dark4"]["parameters"] == {"conv.weight": [1, 1, 3]}
    assert record.config["max_epoch"] == 2
    assert record.data["train_images"] == 12
    assert record.data["classes"] == 5
    assert len(record.data["val_sha256"]) == 64
    assert record.versions["yolox"] == "0.3.0"
    assert record.figures.keys() >= {"AP", "AP50", "APs"}
    assert record.threads == 1
    assert record.parameters == record.trainable_parameters > 1e5
    assert record.gflops > 0
    assert record.seconds > 0
    assert record.images_per_second > 0
    assert record.started <= record.ended
    assert (record.accumulate, record.processes, record.deterministic) == (1, 1, False)
    assert record.cpu
    assert record.host
    assert record.resumed == []


def test_a_failed_run_says_so_and_why(tiny: Callable, train: Callable, tmp_path: Path) -> None:
    exp = tiny()

    def broken(*args: object) -> None:
        raise RuntimeError("the roof fell in")

    exp.preprocess = broken
    with pytest.raises(RuntimeError, match="roof"):
        train(exp)
    record = read_record(tmp_path / "tiny")
    assert (record.state, record.error) == ("failed", "RuntimeError: the roof fell in")
    assert record.ended is not None


@pytest.mark.parametrize(
    ("error", "state"),
    [(Interrupted("stopped"), "interrupted"), (TrainingError("loss is nan"), "failed")],
)
def test_the_record_says_how_it_ended(tmp_path: Path, error: Exception, state: str) -> None:
    with pytest.raises(type(error)), started(tmp_path):
        raise error
    record = read_record(tmp_path)
    assert (record.state, record.error) == (state, f"{type(error).__name__}: {error}")


def test_a_full_disk_does_not_hide_why_the_run_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(TrainingError, match="loss is nan"), started(tmp_path):
        monkeypatch.setattr("yolox_attn.core.run_log.write_record", full)
        raise TrainingError("loss is nan")


def test_nobody_else_may_train_there_meanwhile(tmp_path: Path) -> None:
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
    with started(tmp_path) as journal:
        for epoch in (1, 2, 3):
            journal.epoch({"epoch": epoch})
        journal.detections([{"image_id": 1}])
    with started(tmp_path, epoch=2, seconds=100.0, resumed=[{"epoch": 2}]):
        pass
    assert [row["epoch"] for row in read_metrics(tmp_path)] == [1, 2]
    assert 100 < read_record(tmp_path).seconds < 110
    assert (tmp_path / "detections.json").exists()
    with started(tmp_path):
        assert not read_metrics(tmp_path)
        assert not (tmp_path / "detections.json").exists()


def test_a_block_of_ones_own_is_recorded_by_its_qualname(tiny: Callable, train: Callable) -> None:
    from yolox_attn.blocks import SE

    trainer = train(tiny(attention={"dark5": SE}, max_epoch=1, warmup_epochs=0))
    record = read_record(trainer.folder)
    assert list(record.attention) == ["dark5"]
    assert record.attention["dark5"]["block"] == "yolox_attn.blocks.se:SE"
    assert record.attention["dark5"]["parameters"] == {
        "fc.0.weight": [8, 128],
        "fc.2.weight": [128, 8],
    }


def test_other_ranks_write_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "x", rank=1, device=torch.device("cpu"))
    with journal.open():
        journal.detections([])
        journal.epoch({"epoch": 1})
        journal.update(state="failed")
    assert not (tmp_path / "x").exists()


def test_the_log_sink_is_taken_away_again(finished: Path) -> None:
    from loguru import logger

    size = (finished / "train_log.txt").stat().st_size
    logger.info("after the run")
    assert (finished / "train_log.txt").stat().st_size == size


def test_first_record_of_a_fine_tuning_names_its_checkpoint(
    tiny: Callable, train: Callable
) -> None:
    first = train(tiny(max_epoch=1, warmup_epochs=0))
    path = str(first.folder / "latest_ckpt.pth")
    second = train(tiny(max_epoch=1, warmup_epochs=0), experiment_name="again", ckpt=path)
    record = read_record(second.folder)
    assert record.pretrained["file"] == path
    assert len(record.pretrained["sha256"]) == 64
    assert callable(first_record)

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from yolox_attn.core.journal import Journal
from yolox_attn.core.record import first_record
from yolox_attn.runs import read_metrics, read_record


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

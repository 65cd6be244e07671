"""What keeps a run from starting over another one's files, and what `--overwrite` clears."""

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from run_folders import make_record

from yolox_attn.core.options import TrainOptions
from yolox_attn.core.prepare import make_room, refuse_folder
from yolox_attn.errors import InputError
from yolox_attn.runs import write_record

FRESH = TrainOptions(experiment_name="x", batch_size=1)
OVERWRITING = TrainOptions(experiment_name="x", batch_size=1, overwrite=True)


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A folder that a run left."""
    write_record(tmp_path, make_record("yolox_s", 0, 0.4))
    names = ("latest_ckpt.pth", "best_ckpt.pth", "metrics.jsonl", "detections.json", "wandb.json")
    for name in (*names, "mine.txt", "train_log.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events.out.tfevents.1").write_text("")
    return tmp_path


def test_a_folder_with_a_checkpoint_is_refused_with_the_ways_on(left: Path) -> None:
    before = sorted(left.rglob("*"))
    for action in (refuse_folder, make_room):
        with pytest.raises(InputError) as caught:
            action(FRESH, left)
        assert str(caught.value) == (
            f"{left} holds a run (latest_ckpt.pth, epoch 3): --resume goes on with it, "
            "--overwrite starts anew, -expn NAME keeps both"
        )
    assert sorted(left.rglob("*")) == before


def test_without_a_record_the_epoch_is_not_said(left: Path) -> None:
    (left / "run.json").unlink()
    (left / "latest_ckpt.pth").unlink()
    with pytest.raises(InputError, match=r"holds a run \(best_ckpt\.pth\): --resume"):
        refuse_folder(FRESH, left)


def test_overwriting_removes_the_run_and_nothing_else(left: Path) -> None:
    refuse_folder(OVERWRITING, left)
    assert len(list(left.rglob("*"))) == 10
    make_room(OVERWRITING, left)
    kept = sorted(path.name for path in left.iterdir())
    assert kept == ["mine.txt", "tensorboard", "train_log.txt"]
    assert not list((left / "tensorboard").iterdir())


@pytest.mark.parametrize("options", [FRESH, OVERWRITING])
def test_a_new_folder_is_free(tmp_path: Path, options: TrainOptions) -> None:
    for action in (refuse_folder, make_room):
        action(options, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("flags", [{}, {"overwrite": True}, {"resume": True}])
def test_where_another_process_trains_nothing_is_touched(
    flags: dict[str, bool], again: Path, long: Callable, train: Callable
) -> None:
    number = os.open(again / ".lock", os.O_RDWR)  # opened anew, it locks this process out too
    fcntl.flock(number, fcntl.LOCK_EX)
    before = {path: path.stat().st_mtime_ns for path in again.rglob("*")}
    try:
        with pytest.raises(InputError, match="another process is training there"):
            train(long(), batch_size=2, accumulate=2, **flags)
    finally:
        os.close(number)
    assert {path: path.stat().st_mtime_ns for path in again.rglob("*")} == before

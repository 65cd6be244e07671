from pathlib import Path

import pytest
from run_folders import make_record

from yolox_attn.errors import InputError
from yolox_attn.runs import folder as folders
from yolox_attn.runs import hold, old_files, refuse_or_clear, write_record


@pytest.fixture
def left(tmp_path: Path) -> Path:
    """A folder that a run left."""
    write_record(tmp_path, make_record("yolox_s", 0, 0.4))
    names = ("latest_ckpt.pth", "best_ckpt.pth", "metrics.jsonl", "detections.json", "mine.txt")
    for name in (*names, "train_log.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events.out.tfevents.1").write_text("")
    return tmp_path


def test_a_folder_with_a_checkpoint_is_refused_with_the_ways_on(left: Path) -> None:
    before = sorted(left.rglob("*"))
    with pytest.raises(InputError) as caught:
        refuse_or_clear(left, overwrite=False)
    assert str(caught.value) == (
        f"{left} holds a run (latest_ckpt.pth, epoch 3): --resume goes on with it, "
        "--overwrite starts anew, -expn NAME keeps both"
    )
    assert sorted(left.rglob("*")) == before


def test_without_a_record_the_epoch_is_not_told(left: Path) -> None:
    (left / "run.json").unlink()
    (left / "latest_ckpt.pth").unlink()
    with pytest.raises(InputError, match=r"holds a run \(best_ckpt\.pth\): --resume"):
        refuse_or_clear(left, overwrite=False)


def test_overwriting_removes_the_run_and_nothing_else(left: Path) -> None:
    assert len(old_files(left)) == 6
    refuse_or_clear(left, overwrite=True)
    kept = sorted(path.name for path in left.iterdir())
    assert kept == ["mine.txt", "tensorboard", "train_log.txt"]
    assert not list((left / "tensorboard").iterdir())


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_folder_is_free(tmp_path: Path, overwrite: bool) -> None:
    refuse_or_clear(tmp_path / "new", overwrite=overwrite)
    assert not (tmp_path / "new").exists()


def test_a_running_run_is_not_overwritten(left: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hold(left):
        monkeypatch.setattr(folders, "is_mine", lambda _: False)  # as another process sees it
        with pytest.raises(InputError, match="another process is training there"):
            refuse_or_clear(left, overwrite=True)
    assert (left / "latest_ckpt.pth").exists()

"""What shows a run's curves: nothing, tensorboard or wandb; none changes the run."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from board_runs import going, record, resumed, row, run_epochs
from fake_wandb import FakeWandb
from killing import differing, outcome
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from yolox_attn.core.boards import check_board, open_board
from yolox_attn.errors import InputError
from yolox_attn.runs import read_metrics, read_record
from yolox_attn.seed import random_states


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeWandb:
    return FakeWandb().install(monkeypatch)


def test_none_writes_nothing(tmp_path: Path) -> None:
    check_board("none", {})
    board = open_board("none", tmp_path, record(), {})
    board.log(row(1, 0.5))
    board.keep(tmp_path / "best_ckpt.pth")
    board.close(0)
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_board_is_refused() -> None:
    with pytest.raises(InputError, match="-l mlflow: it is tensorboard, wandb, none"):
        check_board("mlflow", {})


def test_tensorboard_shows_an_epoch_that_is_done_again_once(tmp_path: Path) -> None:
    run_epochs(tmp_path, range(1, 4), record(), kind="tensorboard")
    run_epochs(tmp_path, range(3, 5), resumed(2), kind="tensorboard")
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert events.Tags()["scalars"] == ["epoch/total_loss"]  # an AP that is undefined is no number
    shown = [(each.step, each.value) for each in events.Scalars("epoch/total_loss")]
    assert shown == [(1, 9.0), (2, 8.0), (3, 7.0), (4, 6.0)]


def test_only_one_of_several_ranks_shows(fake: FakeWandb, tmp_path: Path) -> None:
    with going(tmp_path / "x", record(), rank=1) as log:
        log.epoch(row(1))
        log.checkpoint("best_ckpt.pth")
    assert fake.begun == []


def test_no_board_moves_the_random_streams(fake: FakeWandb, tmp_path: Path) -> None:
    random.seed(5)
    before = random_states()
    with going(tmp_path, record()) as log:
        log.epoch(row(1))
        assert differing(before, random_states()) == []
    assert len(fake.begun) == 1


@pytest.mark.parametrize("kind", ["none", "wandb"])
def test_a_board_changes_no_bit_of_a_training_and_is_no_other_protocol(
    kind: str, fake: FakeWandb, whole: Path, again: Path, long: Callable, train: Callable,
    tmp_path: Path,
) -> None:  # fmt: skip
    """Compared with a run that tensorboard showed; that run goes on under the other board."""
    flags = {"batch_size": 2, "accumulate": 2, "logger": kind}
    exp = long(output_dir=str(tmp_path / "other"), print_interval=1)  # YOLOX tells wandb of steps
    folder = train(exp, **flags).folder
    assert not (folder / "tensorboard").exists()
    assert (folder / "wandb.json").exists() == (kind == "wandb")
    assert differing(outcome(whole), outcome(folder)) == []
    if kind == "wandb":
        kept = fake.runs["id0"]
        assert kept.config == read_record(folder).config
        assert list(kept.rows.values()) == [
            {key: value for key, value in each.items() if value is not None}
            for each in read_metrics(folder)
        ]
    else:
        train(long(), resume=True, **flags)
        assert read_record(again).resumed[-1]["exact"] is True


def test_yolox_s_own_tool_is_refused_what_is_no_board(
    tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="-l mlflow: it is"):
        train(tiny(), logger="mlflow")
    assert list(tmp_path.iterdir()) == []

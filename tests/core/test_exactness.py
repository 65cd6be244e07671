"""One seed fixes every number of a run, however often it is interrupted, whoever loads the data."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import differing, outcome

from yolox_attn.core import AttentionTrainer
from yolox_attn.errors import InputError, Interrupted
from yolox_attn.runs import read_metrics, read_record

LONG = {"max_epoch": 4, "warmup_epochs": 1, "no_aug_epochs": 1}  # mosaic off from the third epoch


@pytest.fixture(scope="module")
def finished() -> dict[str, Path]:
    """Runs without interruption that tests have made already, by their settings."""
    return {}


@pytest.fixture
def whole(
    tiny: Callable, train: Callable, tmp_path: Path, finished: dict[str, Path]
) -> Callable[..., Path]:
    """Return a function that trains without interruption, once, and returns the run's folder."""

    def run(accumulate: int = 1, **settings: Any) -> Path:
        key = f"{accumulate} {settings}"
        if key not in finished:
            exp = tiny(output_dir=str(tmp_path / "whole"), **LONG, **settings)
            trainer = train(exp, batch_size=4 // accumulate, accumulate=accumulate)
            finished[key] = trainer.folder
        return finished[key]

    return run


def interrupt_after(trainer: AttentionTrainer, steps: int) -> None:
    """Send this process a real SIGTERM in the middle of step number `steps`, from 1."""
    calls = count(1)
    take = AttentionTrainer._fetch

    def counting() -> Any:
        if next(calls) == steps:
            os.kill(os.getpid(), signal.SIGTERM)
        return take(trainer)

    trainer._fetch = counting


def interrupt_evaluation(trainer: AttentionTrainer, number: int) -> None:
    """Send it while the first batch of evaluation `number`, from 1, is in the network."""
    calls, begin = count(1), trainer._begin

    def counting(*_: Any) -> None:
        if next(calls) == 2 * number - 1:  # five images are two batches
            os.kill(os.getpid(), signal.SIGTERM)

    def beginning() -> None:
        trainer.ema_model.ema.head.register_forward_hook(counting)
        begin()

    trainer._begin = beginning


@pytest.mark.parametrize(
    ("stops", "workers"),
    [
        pytest.param((1, 4, 1), 0, id="early-0"),
        pytest.param((1, 4, 1), 2, id="early-2", marks=pytest.mark.slow),
        pytest.param((6, 2), 0, id="across the switch-0", marks=pytest.mark.slow),
        pytest.param((6, 2), 2, id="across the switch-2"),
    ],
)
def test_interrupted_between_steps_a_run_ends_in_the_same_bits(
    stops: tuple[int, ...], workers: int, whole: Callable, tiny: Callable, train: Callable,
    train_args: Callable, tmp_path: Path,
) -> None:  # fmt: skip
    settings = {**LONG, "data_num_workers": workers, "enable_mixup": True, "eval_interval": 1}
    reference = whole(accumulate=2, enable_mixup=True, eval_interval=1)
    flags = {"batch_size": 2, "accumulate": 2}
    for number, steps in enumerate(stops):
        exp = tiny(output_dir=str(tmp_path / "stopped"), **settings)
        trainer = exp.get_trainer(train_args(resume=number > 0, **flags))
        interrupt_after(trainer, steps)
        with pytest.raises(Interrupted, match=r"stopped \(SIGTERM\) and saved"):
            trainer.train()
    assert read_record(tmp_path / "stopped/tiny").state == "interrupted"
    folder = train(tiny(output_dir=str(tmp_path / "stopped"), **settings), resume=True, **flags)
    assert differing(outcome(reference), outcome(folder.folder)) == []
    assert [entry["exact"] for entry in read_record(folder.folder).resumed] == [True] * len(stops)


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_interrupted_in_an_evaluation_a_run_ends_in_the_same_bits(
    number: int, whole: Callable, tiny: Callable, train: Callable, train_args: Callable,
    tmp_path: Path,
) -> None:  # fmt: skip
    settings = {**LONG, "output_dir": str(tmp_path / "stopped"), "eval_interval": 1}
    trainer = tiny(**settings).get_trainer(train_args())
    interrupt_evaluation(trainer, number)
    with pytest.raises(Interrupted):
        trainer.train()
    assert len(read_metrics(tmp_path / "stopped/tiny")) == number - 1
    folder = train(tiny(**settings), resume=True).folder
    assert differing(outcome(whole(eval_interval=1)), outcome(folder)) == []


def test_ended_between_best_and_latest_no_row_is_lost_or_doubled(
    whole: Callable, tiny: Callable, train: Callable, train_args: Callable, tmp_path: Path
) -> None:
    settings = {**LONG, "output_dir": str(tmp_path / "stopped"), "eval_interval": 1}
    trainer = tiny(**settings).get_trainer(train_args())
    trainer.saver.latest = lambda *_: sys.exit("the power fails")
    with pytest.raises(SystemExit):
        trainer.train()
    folder = trainer.folder
    assert [path.name for path in folder.glob("*_ckpt.pth")] == ["best_ckpt.pth"]
    train(tiny(**settings), resume=True)
    assert differing(outcome(whole(eval_interval=1)), outcome(folder)) == []


def test_resumed_in_another_folder_a_run_takes_its_rows_with_it(
    whole: Callable, tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    first = whole(eval_interval=1)
    source = str(first / "last_mosaic_epoch_ckpt.pth")
    settings = {**LONG, "eval_interval": 1, "output_dir": str(tmp_path / "moved")}
    folder = train(tiny(**settings), resume=True, ckpt=source).folder
    assert differing(outcome(first), outcome(folder)) == []
    with pytest.raises(InputError, match="holds a run"):
        train(tiny(**settings), resume=True, ckpt=source)


def test_what_overwriting_would_remove_cannot_be_started_from(
    tiny: Callable, train: Callable
) -> None:
    folder = train(tiny(max_epoch=1)).folder
    best = folder / "best_ckpt.pth"
    with pytest.raises(InputError, match="--overwrite removes it"):
        train(tiny(max_epoch=1), ckpt=str(best), overwrite=True)
    assert best.is_file()


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_the_same_seed_gives_the_same_run_with_any_number_of_workers(
    workers: int, whole: Callable, tiny: Callable, train: Callable
) -> None:
    again = train(tiny(data_num_workers=workers, **LONG)).folder
    assert differing(outcome(whole()), outcome(again)) == []


def test_another_seed_gives_another_run(whole: Callable, tiny: Callable, train: Callable) -> None:
    other = train(tiny(seed=1, **LONG)).folder
    first, second = (torch.load(folder / "latest_ckpt.pth") for folder in (whole(), other))
    name = "backbone.backbone.stem.conv.conv.weight"
    assert not torch.equal(first["weights"][name], second["weights"][name])
    assert first["protocol"]["seed"] == 0


def test_without_a_seed_one_is_drawn_recorded_and_resumed(
    tiny: Callable, train: Callable, train_args: Callable, tmp_path: Path
) -> None:
    trainer = tiny(seed=None, **LONG).get_trainer(train_args())
    interrupt_after(trainer, 2)
    with pytest.raises(Interrupted):
        trainer.train()
    drawn = read_record(tmp_path / "tiny").seed
    assert isinstance(drawn, int)
    train(tiny(seed=None, **LONG), resume=True)
    assert read_record(tmp_path / "tiny").seed == drawn
    other = train(tiny(seed=None, output_dir=str(tmp_path / "other"), **LONG))
    assert read_record(other.folder).seed != drawn


def test_a_finished_run_resumed_stays_as_it_is(tiny: Callable, train: Callable) -> None:
    folder = train(tiny(**LONG)).folder
    before = outcome(folder)
    train(tiny(**LONG), resume=True)
    assert differing(before, outcome(folder)) == []


@pytest.mark.parametrize(
    ("settings", "flags", "says"),
    [
        ({"seed": 7}, {}, "seed 0 -> 7"),
        ({}, {"batch_size": 2}, "batch_size 4 -> 2"),
        ({}, {"accumulate": 2}, "accumulate 1 -> 2"),
        ({"basic_lr_per_img": 0.5}, {}, "basic_lr_per_img .* -> 0.5"),
    ],
)
def test_a_changed_run_is_not_resumed_unless_told_so(
    settings: dict[str, Any], flags: dict[str, Any], says: str, tiny: Callable, train: Callable
) -> None:
    train(tiny(max_epoch=1))
    with pytest.raises(InputError, match=says):
        train(tiny(max_epoch=1, **settings), resume=True, **flags)
    trainer = train(tiny(max_epoch=1, **settings), resume=True, resume_anyway=True, **flags)
    assert not trainer.exact


def test_a_changed_image_is_another_data_set(
    tiny: Callable, train: Callable, drawn: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(drawn, tmp_path / "data")
    train(tiny(max_epoch=1, data_dir=str(data)))
    with next((data / "train2017").iterdir()).open("ab") as file:
        file.write(b"!")  # decoders do not mind
    with pytest.raises(InputError, match=r"another run: train_files \w{12} -> \w{12};"):
        train(tiny(max_epoch=1, data_dir=str(data)), resume=True)


def test_a_folder_with_a_run_is_refused_and_can_be_overwritten(
    tiny: Callable, train: Callable
) -> None:
    folder = train(tiny(max_epoch=2)).folder
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    with pytest.raises(InputError, match="--overwrite"):
        train(tiny(max_epoch=1))
    assert before == sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    train(tiny(max_epoch=1), overwrite=True)
    assert [row["epoch"] for row in read_metrics(folder)] == [1]


def test_saving_every_other_step_changes_nothing(
    tiny: Callable, train: Callable, whole: Callable, tmp_path: Path
) -> None:
    exp = tiny(output_dir=str(tmp_path / "saving"), **LONG)
    folder = train(exp, save_steps=2, save_minutes=1e-9).folder
    assert differing(outcome(whole()), outcome(folder)) == []


def test_early_stopping_ends_the_run_and_is_recorded(
    tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    settings = {"max_epoch": 6, "no_aug_epochs": 0, "eval_interval": 1, "test_conf": 1.0}
    trainer = train(tiny(patience=2, **settings))  # nothing is ever detected: AP stays 0
    record = read_record(trainer.folder)
    assert record.stopped_early == {"epoch": 3, "patience": 2, "best_epoch": 1}
    assert (record.state, record.epoch) == ("finished", 3)
    train(tiny(patience=2, **settings), resume=True)
    again = read_record(trainer.folder)
    assert (again.epoch, again.stopped_early) == (3, record.stopped_early)


def test_frozen_parts_do_not_move(tiny: Callable, train: Callable) -> None:
    exp = tiny(max_epoch=2, freeze=("backbone.backbone.dark*",), ema=False)
    before = {key: value.clone() for key, value in exp.get_model().state_dict().items()}
    after = train(exp).raw_model().state_dict()
    moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
    frozen = {key for key in after if key.startswith("backbone.backbone.dark")}
    assert frozen
    assert not moved & frozen
    assert "backbone.backbone.stem.conv.bn.running_mean" in moved


def test_boxes_beyond_max_labels_are_counted(tiny: Callable, train: Callable) -> None:
    folder = train(tiny(max_labels=1, max_epoch=2)).folder
    assert read_record(folder).labels_cut > 10


def test_accumulation_takes_its_steps_from_the_whole_batch(
    tiny: Callable, train: Callable, tmp_path: Path
) -> None:
    """Two batches of two are one step of four: the same schedule, learning rates and images."""
    whole = train(tiny(max_epoch=1, output_dir=str(tmp_path / "a")))
    parts = train(tiny(max_epoch=1, output_dir=str(tmp_path / "b")), batch_size=2, accumulate=2)
    assert (parts.max_iter, parts.ema_model.updates) == (whole.max_iter, whole.ema_model.updates)
    rates = [t.optimizer.param_groups[0]["lr"] for t in (whole, parts)]
    assert rates[0] == rates[1] > 0
    samplers = [t.train_loader.batch_sampler for t in (whole, parts)]
    assert samplers[0].batch(1) == samplers[1].batch(2) + samplers[1].batch(3)

"""One seed fixes every number of a run, however often it is interrupted, whoever loads the data."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from itertools import count
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import pytest
import torch
from killing import differing, outcome

from yolox_attn.core import AttentionTrainer, read_checkpoint
from yolox_attn.errors import InputError, Interrupted
from yolox_attn.runs import read_metrics, read_record

STEPS = 3  # of an epoch of `long`


@pytest.fixture
def go(long: Callable, train_args: Callable) -> Callable[..., AttentionTrainer]:
    """Return a function that makes the trainer of `whole`'s experiment, with values of choice."""

    def make(settings: dict[str, Any] | None = None, **flags: Any) -> AttentionTrainer:
        given = {"batch_size": 2, "accumulate": 2} | flags
        return long(**settings or {}).get_trainer(train_args(**given))

    return make


def finish(trainer: AttentionTrainer) -> Path:
    trainer.train()
    return trainer.folder


def stop(trainer: AttentionTrainer) -> Path:
    with pytest.raises(Interrupted, match=r"stopped \(SIGTERM\) and saved"):
        trainer.train()
    return trainer.folder


def when_built(trainer: AttentionTrainer, action: Callable[[], object]) -> AttentionTrainer:
    """Have the trainer do something between building all its parts and its first step."""
    begin = trainer._begin

    def beginning() -> None:
        action()
        begin()

    trainer._begin = beginning
    return trainer


def interrupted(
    trainer: AttentionTrainer, number: int, error: Exception | None = None
) -> AttentionTrainer:
    """Have a real SIGTERM come while the batches of step `number`, from 1, are fetched.

    With an `error` it also keeps them from coming.
    """

    def prepare() -> None:
        steps, take = count(1), trainer.prefetcher.take

        def interrupting(batches: int) -> list[Any]:
            if next(steps) == number:
                os.kill(os.getpid(), signal.SIGTERM)
                if error is not None:
                    raise error
            return take(batches)

        trainer.prefetcher.take = interrupting

    return when_built(trainer, prepare)


LOST = (RuntimeError("lost"), ConnectionResetError("lost"), EOFError("lost"))  # a worker, by torch


@pytest.mark.parametrize(
    ("stops", "workers"),
    [
        # After one step; before the first without mosaic; after that.
        (((2, LOST[0]), (6, LOST[1]), (2, LOST[2])), 2),
        pytest.param(((1, None), (5, None), (1, None)), 2, marks=pytest.mark.slow),
        pytest.param(((4, None), (3, LOST[1]), (2, None)), 0, marks=pytest.mark.slow),
    ],
)
def test_interrupted_between_steps_a_run_ends_in_the_same_bits(
    stops: tuple[tuple[int, Exception | None], ...], workers: int, whole: Path, go: Callable
) -> None:
    """Also where the signal has ended a loading worker too, in the middle of a batch or not."""
    settings = {"data_num_workers": workers}
    for number, (step, error) in enumerate(stops):
        folder = stop(interrupted(go(settings, resume=number > 0), step, error))
        assert read_record(folder).state == "interrupted"
    finish(go(settings, resume=True))
    assert differing(outcome(whole), outcome(folder)) == []
    assert [entry["exact"] for entry in read_record(folder).resumed] == [True] * len(stops)


@pytest.mark.parametrize("number", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_interrupted_in_an_evaluation_a_run_ends_in_the_same_bits(
    number: int, whole: Path, go: Callable
) -> None:
    calls, trainer = count(1), go()

    def stop_in_its_first_batch(*_: object) -> None:
        if next(calls) == 3 * number - 2:  # five images are three batches
            os.kill(os.getpid(), signal.SIGTERM)

    when_built(
        trainer, lambda: trainer.ema_model.ema.head.register_forward_hook(stop_in_its_first_batch)
    )
    folder = stop(trainer)
    assert len(read_metrics(folder)) == number - 1
    finish(go(resume=True))
    assert differing(outcome(whole), outcome(folder)) == []


def test_a_lost_worker_alone_is_a_fault(go: Callable) -> None:
    trainer = go({"max_epoch": 1})

    def lost(_: int) -> list[Any]:
        raise LOST[1]

    when_built(trainer, lambda: setattr(trainer.prefetcher, "take", lost))
    with pytest.raises(ConnectionResetError):
        trainer.train()
    assert not list(trainer.folder.glob("*_ckpt.pth"))


def test_a_run_that_an_older_version_began_goes_on_to_the_same_bits(
    whole: Path, go: Callable
) -> None:
    """Its checkpoints are as today's; its run.json is of schema 1."""
    folder = stop(interrupted(go(), 2 * STEPS + 1))
    record = json.loads((folder / "run.json").read_text())
    old = {"figures" if key == "metrics" else key: value for key, value in record.items()}
    (folder / "run.json").write_text(json.dumps(old | {"schema": 1, "started": "long ago"}))
    finish(go(resume=True))
    assert differing(outcome(whole), outcome(folder)) == []
    assert [entry["exact"] for entry in read_record(folder).resumed] == [True]
    assert read_record(folder).started == "long ago"


def test_ended_between_best_and_latest_no_row_is_lost_or_doubled(whole: Path, go: Callable) -> None:
    trainer = go()
    trainer.saver.latest = lambda *_: sys.exit("the power fails")
    with pytest.raises(SystemExit):
        trainer.train()
    assert [path.name for path in trainer.folder.glob("*_ckpt.pth")] == ["best_ckpt.pth"]
    finish(go(resume=True))
    assert differing(outcome(whole), outcome(trainer.folder)) == []


def test_resumed_in_another_folder_a_run_takes_its_rows_with_it(whole: Path, go: Callable) -> None:
    source = str(whole / "last_mosaic_epoch_ckpt.pth")
    folder = finish(go(resume=True, ckpt=source))
    assert differing(outcome(whole), outcome(folder)) == []
    with pytest.raises(InputError, match="holds a run"):
        go(resume=True, ckpt=source).train()


@pytest.mark.parametrize(
    ("settings", "flags"),
    [
        pytest.param({"data_num_workers": 1}, {}, marks=pytest.mark.slow),
        ({"data_num_workers": 2}, {"save_steps": 2, "save_minutes": 1e-9}),
    ],
)
def test_neither_loading_workers_nor_saving_change_anything(
    settings: dict[str, Any], flags: dict[str, Any], whole: Path, go: Callable
) -> None:
    trainer = go(settings, **flags)
    assert differing(outcome(whole), outcome(finish(trainer))) == []
    assert active_children() == []  # ended by themselves, and not by the end of the process


def test_another_seed_gives_other_weights_and_batches(go: Callable) -> None:
    runs = [go({"seed": seed}) for seed in (0, 1)]
    for trainer in runs:
        trainer.before_train()
    weights = [next(trainer.raw_model().parameters()) for trainer in runs]
    batches = [trainer.prefetcher.take(1)[0].images for trainer in runs]
    assert not torch.equal(*weights)
    assert not torch.equal(*batches)


def test_without_a_seed_one_is_drawn_recorded_and_resumed(go: Callable) -> None:
    settings = {"seed": None, "max_epoch": 1}
    folder = stop(interrupted(go(settings), 2))
    drawn = read_record(folder).seed
    assert isinstance(drawn, int)
    finish(go(settings, resume=True))
    assert read_record(folder).seed == drawn
    other = go(settings, experiment_name="other")
    other.before_train()
    assert other.seed != drawn


def test_a_finished_run_resumed_stays_as_it_is(again: Path, whole: Path, go: Callable) -> None:
    assert finish(go(resume=True)) == again
    assert differing(outcome(whole), outcome(again)) == []


def test_a_damaged_file_beside_the_checkpoints_never_blocks_a_run(
    again: Path, whole: Path, go: Callable
) -> None:
    """Links into nowhere, half a json, another encoding: kept under another name, and said."""
    (again / "best_ckpt.pth").unlink()
    (again / "best_ckpt.pth").symlink_to(again / "nowhere")
    (again / "run.json").write_text('{"schema": 2, "na')
    rows = (again / "metrics.jsonl").read_bytes()
    (again / "metrics.jsonl").write_bytes(rows[: len(rows) // 2])
    finish(go(resume=True))
    assert (again / "run.json.damaged").read_text() == '{"schema": 2, "na'
    assert (again / "metrics.jsonl.damaged").read_bytes() == rows[: len(rows) // 2]
    assert read_record(again).state == "finished"
    assert not differing(*(read_checkpoint(each / "latest_ckpt.pth") for each in (whole, again)))


def test_a_changed_run_goes_on_only_by_insisting_and_not_exactly(again: Path, go: Callable) -> None:
    with pytest.raises(InputError, match="another run: max_epoch 4 -> 5; give what"):
        go({"max_epoch": 5}, resume=True).train()
    finish(go({"max_epoch": 5}, resume=True, resume_anyway=True))
    record = read_record(again)
    assert (record.epoch, [entry["exact"] for entry in record.resumed]) == (5, [False])


def test_a_changed_image_is_another_data_set(
    tiny: Callable, train: Callable, drawn: Path, tmp_path: Path
) -> None:
    data = shutil.copytree(drawn, tmp_path / "data")
    train(tiny(max_epoch=1, data_dir=str(data)))
    with next((data / "train2017").iterdir()).open("ab") as file:
        file.write(b"!")  # decoders do not mind
    with pytest.raises(InputError, match=r"another run: train_files \w{12} -> \w{12};"):
        train(tiny(max_epoch=1, data_dir=str(data)), resume=True)


def test_overwriting_starts_anew(again: Path, go: Callable) -> None:
    best = again / "best_ckpt.pth"
    with pytest.raises(InputError, match="--overwrite removes it"):
        go(ckpt=str(best), overwrite=True).train()
    assert best.is_file()
    finish(go({"max_epoch": 1}, overwrite=True))
    assert [row["epoch"] for row in read_metrics(again)] == [1]


def test_early_stopping_ends_the_run_and_is_recorded(tiny: Callable, train: Callable) -> None:
    settings = {"max_epoch": 6, "no_aug_epochs": 0, "eval_interval": 1, "test_conf": 1.0}
    trainer = train(tiny(patience=2, **settings))  # nothing is ever detected: AP stays 0
    record = read_record(trainer.folder)
    assert record.stopped_early == {"epoch": 3, "patience": 2, "best_epoch": 1}
    assert (record.state, record.epoch) == ("finished", 3)
    train(tiny(patience=2, **settings), resume=True)
    resumed = read_record(trainer.folder)
    assert (resumed.epoch, resumed.stopped_early) == (3, record.stopped_early)


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
    one = train(tiny(max_epoch=1, output_dir=str(tmp_path / "a")))
    parts = train(tiny(max_epoch=1, output_dir=str(tmp_path / "b")), batch_size=2, accumulate=2)
    assert (parts.max_iter, parts.ema_model.updates) == (one.max_iter, one.ema_model.updates)
    rates = [trainer.optimizer.param_groups[0]["lr"] for trainer in (one, parts)]
    assert rates[0] == rates[1] > 0
    samplers = [trainer.train_loader.batch_sampler for trainer in (one, parts)]
    assert samplers[0].batch(1) == samplers[1].batch(2) + samplers[1].batch(3)

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from run_folders import make_record
from torch.utils.data import DataLoader

from yolox_attn.blocks import SE
from yolox_attn.core.describe import (
    describe_attention,
    describe_config,
    describe_data,
    first_record,
)
from yolox_attn.core.options import train_options
from yolox_attn.runs import RunRecord, append_metrics, read_record, write_record


class Own:
    pass


def test_settings_become_json() -> None:
    exp = SimpleNamespace(a=(1, 2), b={"dark3": Own}, c=None, _hidden=1, model=object(), d="x")
    assert describe_config(exp) == {
        "a": [1, 2], "b": {"dark3": f"{__name__}:Own"}, "c": None, "d": "x"
    }  # fmt: skip


def test_attention_is_described_as_it_was_built(tiny: Callable) -> None:
    """A block of one's own is called by where it is written."""
    exp = tiny(attention={"dark3": "eca", "dark5": SE}, attention_options={"dark5": {"ratio": 8}})
    assert describe_attention(exp, exp.get_model()) == {
        "dark3": {"block": "eca", "options": {}, "parameters": {"conv.weight": [1, 1, 3]}},
        "dark5": {
            "block": "yolox_attn.blocks.se:SE",
            "options": {"ratio": 8},
            "parameters": {"fc.0.weight": [16, 128], "fc.2.weight": [128, 16]},
        },
    }


def test_data_are_described_wherever_yolox_finds_them(
    drawn: Path, tiny: Callable, train: Callable, train_args: Callable, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An Exp without a folder leaves it to YOLOX, which looks in $YOLOX_DATADIR/COCO."""
    monkeypatch.setenv("YOLOX_DATADIR", str(tmp_path))
    (tmp_path / "COCO").symlink_to(drawn)
    named = tiny(max_epoch=1).get_trainer(train_args(experiment_name="named"))
    named.before_train()
    described = read_record(train(tiny(max_epoch=1, data_dir=None)).folder).data
    assert described == named.data | {"dir": str(tmp_path / "COCO")}
    assert len(described["val_sha256"]) == 64
    train(tiny(max_epoch=1), resume=True)  # the data are the same


def test_of_data_of_another_kind_only_the_images_are_counted(tiny: Callable) -> None:
    loaders = [DataLoader([1] * count) for count in (7, 3)]
    described = describe_data(tiny(data_dir=None), *loaders)
    assert described == {
        "dir": None, "classes": 5, "train_images": 7, "val_images": 3,
        "train_ann": "instances_train2017.json", "train_sha256": None, "train_files": None,
        "val_ann": "instances_val2017.json", "val_sha256": None, "val_files": None,
    }  # fmt: skip


@pytest.fixture
def trainer(tiny: Callable, train_args: Callable, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that makes what `first_record` asks of a trainer, about to go on."""

    def make(*, resume: bool = True, **changes: Any) -> Any:
        given: dict[str, Any] = {
            "exp": tiny(), "options": train_options(train_args(resume=resume)),
            "folder": tmp_path, "seed": 7, "accumulate": 2, "processes": 1, "precision": "fp32",
            "memory_format": torch.channels_last, "device": torch.device("cpu"),
            "environment": {"cpu": "a chip"}, "data": {"classes": 5}, "repairs": {"val clipped": 3},
            "start_epoch": 2, "start_iter": 4, "exact": True, "best_ap": 0.3,
            "costs": COSTS, "out_of_patience": lambda: False,
            "optimizer": torch.optim.SGD(PARAMETERS, lr=1.0), "sources": {},
        }  # fmt: skip
        return SimpleNamespace(**(given | changes))

    return make


PARAMETERS = [{"params": [torch.zeros(2, 3)]}, {"params": [torch.zeros(4), torch.zeros(())]}]
COSTS = {"parameters": 1, "trainable_parameters": 1, "gflops": 1.0, "gflops_training": 1.0}


def test_a_fresh_record_is_filled(trainer: Callable[..., Any]) -> None:
    record = first_record(trainer(resume=False, start_epoch=0, best_ap=None))
    assert (record.seed, record.accumulate, record.cpu) == (7, 2, "a chip")
    assert (record.repairs, record.resumed, record.best_ap) == ({"val clipped": 3}, [], None)
    assert record.optimised_parameters == 6 + 4 + 1


def old_record(folder: Path, **changes: Any) -> RunRecord:
    """What the run had written before it was stopped."""
    kept: dict[str, Any] = {"seconds": 50.0, "started": "earlier", "labels_cut": 9, "epoch": 2}
    kept |= {"pretrained": {"file": "w", "sha256": "a"}, "class_ap": {"ball": 0.2}}
    kept |= {"resumed": [{"at": "then", "epoch": 1, "iteration": 0, "exact": True}]}
    record = dataclasses.replace(make_record("tiny", 7, 0.25), **(kept | changes))
    write_record(folder, record)
    return record


def test_a_continued_run_keeps_what_it_had(trainer: Callable[..., Any], tmp_path: Path) -> None:
    old = old_record(tmp_path)
    record = first_record(trainer())
    kept = ("seconds", "started", "labels_cut", "pretrained", "metrics", "class_ap")
    for name in kept:
        assert getattr(record, name) == getattr(old, name)
    assert record.resumed[0] == old.resumed[0]
    last = {key: value for key, value in record.resumed[1].items() if key != "at"}
    assert last == {"epoch": 2, "iteration": 4, "exact": True}
    assert (record.epoch, record.best_ap, record.pid) == (2, 0.3, os.getpid())


@pytest.mark.parametrize("over", [True, False])
def test_only_a_run_still_out_of_patience_stays_stopped(
    trainer: Callable[..., Any], tmp_path: Path, over: bool
) -> None:
    stopped = {"epoch": 2, "patience": 1, "best_epoch": 1}
    old_record(tmp_path, stopped_early=stopped)
    record = first_record(trainer(out_of_patience=lambda: over))
    assert record.stopped_early == (stopped if over else None)


def test_a_record_ahead_of_its_checkpoint_is_taken_back(
    trainer: Callable[..., Any], tmp_path: Path
) -> None:
    """Killed between the record of epoch 3 and its checkpoint: the metrics are epoch 2's."""
    old_record(tmp_path, epoch=3)
    for epoch, ap in ((1, None), (2, 0.2), (3, 0.25)):
        append_metrics(tmp_path, {"epoch": epoch} | ({} if ap is None else {"AP": ap}))
    record = first_record(trainer())
    assert (record.metrics["AP"], record.class_ap, record.epoch) == (0.2, {}, 2)
    assert first_record(trainer(start_epoch=1)).metrics == {}


def test_a_run_without_a_record_can_be_continued(trainer: Callable[..., Any]) -> None:
    record = first_record(trainer(exact=False))
    assert [each["exact"] for each in record.resumed] == [False]

"""Are two runs the same experiment? The table of the module, row by row, and how it is said."""

import dataclasses
from typing import Any

import pytest
from run_folders import make_record

from yolox_attn.runs import RunRecord
from yolox_attn.runs.protocol import as_planned, comparable, continues, resume_protocol

SETTINGS: dict[str, Any] = {
    "data_dir": None, "data_num_workers": 4, "output_dir": "out", "save_history_ckpt": True,
    "test_ann": "x.json", "test_name": "test", "train_ann": "t.json", "val_ann": "v.json",
    "eval_interval": 10, "channels_last": True, "patience": 0, "attention_options": {},
    "mosaic_prob": 1.0, "freeze": None,
}  # fmt: skip
NO_HASHES = {"train_sha256": None, "val_sha256": None}
NEVER: set[str] = set()
RESUMING = {"continues"}
TRAINING = {"continues", "comparable"}
PLANS = {"comparable", "as_planned"}
ALWAYS = {"continues", "comparable", "as_planned"}


def make(**changes: Any) -> RunRecord:
    """A run; `config` and `data` change single keys, ... takes a setting out."""
    record = make_record("yolox_s", 0, 0.4)
    config = record.config | SETTINGS | changes.pop("config", {})
    config = {key: value for key, value in config.items() if value is not ...}
    data = record.data | changes.pop("data", {})
    return dataclasses.replace(record, config=config, data=data, **changes)


def refusals(first: RunRecord, second: RunRecord) -> dict[str, str]:
    """What each of the three questions has to say about two runs, if anything."""
    keys = ("batch_size", "accumulate", "processes", "precision")
    ours, theirs = ({key: getattr(each, key) for key in keys} for each in (first, second))
    saved = resume_protocol(first.config, first.data, ours | {"seed": first.seed})
    now = resume_protocol(second.config, second.data, theirs | {"seed": second.seed})
    facts = {key: (theirs[key], ours[key]) for key in keys}
    facts["checkpoint"] = (second.pretrained, first.pretrained)
    answers = {
        "continues": continues(saved, now),
        "comparable": comparable(first, second),
        "as_planned": as_planned(second.config, first.config, facts),
    }
    return {question: answer for question, answer in answers.items() if answer}


@pytest.mark.parametrize(
    ("changes", "refused"),
    [
        *(
            ({"config": {key: "other"}}, NEVER)
            for key in ("data_dir", "data_num_workers", "exp_name", "output_dir", "print_interval",
                        "save_history_ckpt", "test_ann", "test_name", "train_ann", "val_ann")
        ),
        ({"data": {"dir": "moved", "train_ann": "renamed.json"}}, NEVER),
        ({"threads": 8, "device": "cuda A", "memory_format": "contiguous", "cpu": "x"}, NEVER),
        ({"config": {"eval_interval": 2}}, RESUMING),
        ({"config": {"channels_last": False}}, RESUMING),
        ({"config": {"patience": 3}}, RESUMING),
        ({"config": {"attention": "cam"}}, RESUMING),
        ({"config": {"attention_options": {"ratio": 4}}}, RESUMING),
        ({"config": {"seed": 5}}, NEVER),  # only what was set: the run's own counts
        ({"seed": 5}, RESUMING),
        ({"config": {"depth": 0.67}}, ALWAYS),
        ({"config": {"train_name": "x"}}, ALWAYS),
        ({"config": {"mixup": 1}}, ALWAYS),
        ({"config": {"mosaic_prob": ...}}, ALWAYS),
        ({"config": {"freeze": ...}}, TRAINING),  # planned as None
        ({"data": {"val_sha256": "c" * 64}}, TRAINING),
        ({"data": {"train_files": "d" * 64}}, TRAINING),
        ({"data": {"train_images": 91}}, TRAINING),
        ({"batch_size": 16}, ALWAYS),
        ({"accumulate": 2}, ALWAYS),
        ({"batch_size": 4, "accumulate": 2}, {"continues", "as_planned"}),
        ({"processes": 2}, ALWAYS),
        ({"precision": "bf16"}, ALWAYS),
        ({"pretrained": {"file": "w", "sha256": "d" * 64}}, PLANS),
        ({"epoch": 2}, {"comparable"}),
    ],
)  # fmt: skip
def test_each_question_overlooks_what_the_table_says(
    changes: dict[str, Any], refused: set[str]
) -> None:
    assert refusals(make(), make()) == {}
    assert refusals(make(), make(**changes)).keys() == refused


def test_a_record_without_what_could_not_be_set_had_yoloxs() -> None:
    """Runs and plans of before it could be set go on, and are compared."""
    yolox = {"ema_decay": 0.9998, "ema_tau": 2000.0, "multiscale": True}
    other = {"ema_decay": 0.98, "ema_tau": 30.0}
    for old, new in ((make(), make(config=yolox)), (make(config=yolox), make())):
        assert refusals(old, new) == {}
    assert refusals(make(), make(config=other)).keys() == ALWAYS


@pytest.mark.parametrize("moved", [{"dir": "moved"}, {"val_ann": "other.json"}])
def test_without_hashes_the_data_must_lie_in_one_place(moved: dict[str, str]) -> None:
    first = make(data=NO_HASHES)
    assert refusals(first, make(data=NO_HASHES)) == {}
    assert refusals(first, make(data=NO_HASHES | moved)).keys() == TRAINING


def test_a_run_that_an_older_version_began_without_knowing_its_data_continues() -> None:
    """Found by $YOLOX_DATADIR, its annotations were not described, but its image files were."""
    files = {"train_files": "f" * 64, "val_files": "e" * 64}
    old = make(data={**NO_HASHES, **files, "dir": None})
    assert not refusals(old, make(data=files)).get("continues")
    other = make(data={**files, "train_files": "d" * 64})
    assert "train_files" in refusals(old, other)["continues"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"config": {"depth": 0.67}}, "another detector (depth 0.33 / 0.67)"),
        ({"config": {"mixup": 1}}, "another schedule (mixup absent / 1)"),
        ({"config": {"nmsthre": 0.5}}, "another evaluation (nmsthre 0.65 / 0.5)"),
        ({"config": {"num_classes": 4}}, "another data set (num_classes 3 / 4)"),
        (
            {"data": {"val_sha256": "c" * 64}},
            "another data set (val_sha256 bbbbbbbbbbbb / cccccccccccc)",
        ),
        ({"data": {"val_files": "d" * 64}}, "another data set (val_files None / dddddddddddd)"),
        ({"accumulate": 2}, "another schedule (batch_size 8 / 16)"),
        ({"pretrained": {"sha256": "d" * 64}}, "another schedule (pretrained None / dddddddddddd)"),
        (
            {"config": {"depth": 1.0, "max_epoch": 30}, "batch_size": 4},
            "another schedule (batch_size 8 / 4, max_epoch 3 / 30), "
            "another detector (depth 0.33 / 1.0)",
        ),
    ],
)
def test_runs_that_cannot_be_compared_differ_in_a_kind_of_things(
    changes: dict[str, Any], says: str
) -> None:
    assert comparable(make(), make(**changes)) == says


def test_evaluations_of_their_own_are_compared_too() -> None:
    alike = {"split": "test", "nms": 0.65}
    assert comparable(make(), make(), (alike, dict(alike))) == ""
    assert comparable(make(), make(), (alike, {"split": "val", "nms": 0.65})) == (
        "another evaluation (split test / val)"
    )
    assert "split test / absent" in comparable(make(), make(), (alike, {}))


def test_differences_to_a_resumed_run_and_to_a_plan_name_both_values() -> None:
    answers = refusals(make(), make(config={"max_epoch": 9, "mixup": 1}, processes=2))
    assert answers["continues"] == "max_epoch 3 -> 9; mixup absent -> 1; processes 1 -> 2"
    assert answers["as_planned"] == (
        "max_epoch 9 (planned 3), mixup 1 (planned absent), processes 2 (planned 1)"
    )


def test_long_values_are_cut() -> None:
    said = refusals(make(), make(config={"mixup": "x" * 500}))["continues"]
    assert said == f"mixup absent -> {'x' * 77}..."

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_study import make_study
from run_folders import make_record

from yolox_attn.core.describe import describe_attention, describe_config
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp
from yolox_attn.runs import read_record, write_record
from yolox_attn.study.import_runs import add_runs, mismatch
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.planned_run import jobs, state_of
from yolox_attn.study.variants import build_exp

TRAINING = Training(data=None, overrides=("max_epoch", "6", "depth", "0.33", "width", "0.125"))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return make_study(tmp_path / "study", training=TRAINING)


@pytest.fixture
def by_hand(tmp_path: Path, plan: Plan) -> Callable[..., Path]:
    """A function that leaves a finished run of the plan's last variant, named as one likes."""

    def leave(seed: int = 0, variant: PlannedVariant = plan.variants[-1], **changes: Any) -> Path:
        exp = build_exp(variant, TRAINING)
        record = make_record("mine", seed, 0.4)
        config = describe_config(exp) | {"seed": seed} | changes.pop("config", {})
        record = dataclasses.replace(
            record,
            attention=describe_attention(exp, exp.get_model()),
            config=config,
            data={**record.data, "val_sha256": plan.truth_sha256, **changes.pop("data", {})},
            pid=1000 + seed,
        )
        folder = tmp_path / "elsewhere" / f"seed{seed}"
        write_record(folder, dataclasses.replace(record, **changes))
        (folder / "detections.json").touch()
        (folder / "latest_ckpt.pth").touch()
        return folder

    return leave


def test_a_run_is_known_by_what_was_built(
    tmp_path: Path, plan: Plan, by_hand: Callable[..., Path]
) -> None:
    folder = by_hand()
    by_hand(1)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    told = add_runs(tmp_path / "study", [folder.parent])
    assert told == [f"{folder.parent}/seed{k} is yolox_demo_cam seed {k}" for k in (0, 1)]
    every = {job.key: job for job in jobs(plan, tmp_path / "study")}
    states = {key: state_of(job) for key, job in every.items()}
    assert states.pop("yolox_demo_cam/seed0") == states.pop("yolox_demo_cam/seed1") == "finished"
    assert set(states.values()) == {"missing"}
    assert every["yolox_demo_cam/seed0"].folder == folder
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_its_baseline_has_no_attention(
    tmp_path: Path, plan: Plan, by_hand: Callable[..., Path]
) -> None:
    """What attention would start as does not matter without any."""
    folder = by_hand(variant=plan.baseline, attention_init="identity")
    assert add_runs(tmp_path / "study", [folder]) == [f"{folder} is yolox_demo seed 0"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "interrupted"}, "the run was interrupted"),
        ({"stopped_early": {"epoch": 2}}, "its validation split ended the run"),
        ({"seed": 7}, "has seed 7; the plan's are 0, 1"),
        ({"batch_size": 4}, r"not as planned: batch size 4 \(planned 8\)"),
        ({"precision": "bf16"}, r"precision bf16 \(planned fp32\)"),
        ({"processes": 2}, r"processes 2 \(planned 1\)"),
        ({"pretrained": {"file": "a", "sha256": "b"}}, r"checkpoint b \(planned None\)"),
        ({"config": {"max_epoch": 7}}, r"max_epoch 7 \(planned 6\)"),
        ({"config": {"new": 7}}, r"new 7 \(planned absent\)"),
        ({"data": {"val_sha256": "other"}}, "validation annotations other"),
        ({"attention_init": "identity"}, "holds attention cam, identity, .* none of the plan's"),
    ],
)
def test_what_is_not_in_the_plan_is_refused(
    tmp_path: Path, by_hand: Callable[..., Path], changes: dict[str, Any], told: str
) -> None:
    good, bad = by_hand(1), by_hand(**changes)
    with pytest.raises(InputError, match=told):
        add_runs(tmp_path / "study", [good, bad])
    assert not (tmp_path / "study/added.json").exists()  # not even the good one


def test_other_options_make_another_block(tmp_path: Path, by_hand: Callable[..., Path]) -> None:
    folder = by_hand()
    record = read_record(folder)
    record.attention["dark3"]["options"] = {"ratio": 8}
    write_record(folder, record)
    with pytest.raises(InputError, match="none of the plan's variants"):
        add_runs(tmp_path / "study", [folder])


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, None),
        ({"name": "anything", "device": "cuda:0"}, None),
        ({"config": {"output_dir": "elsewhere", "patience": 3}}, None),
        ({"seed": 7}, "it has seed 7; the plan's are 0, 1"),
        ({"batch_size": 4, "accumulate": 2}, "batch size 4 (planned 8), accumulate 2 (planned 1)"),
        ({"precision": "fp16"}, "precision fp16 (planned fp32)"),
        ({"pretrained": {"file": "a", "sha256": "b"}}, "checkpoint b (planned None)"),
        ({"config": {"max_epoch": 7, "basic_lr_per_img": 1}}, "max_epoch 7 (planned 6)"),
        ({"attention_init": "identity"}, "attention cam, identity (planned cam)"),
        ({"attention": {}}, "attention none (planned cam)"),
    ],
)
def test_what_keeps_a_run_from_being_as_planned(
    plan: Plan, by_hand: Callable[..., Path], changes: dict[str, Any], told: str | None
) -> None:
    found = mismatch(read_record(by_hand(**changes)), plan, plan.variants[-1])
    assert found == told if told is None else told in str(found)


def test_other_options_are_told_from_the_planned_ones(
    plan: Plan, by_hand: Callable[..., Path]
) -> None:
    record = read_record(by_hand())
    record.attention["dark3"]["options"] = {"ratio": 8}
    told = "attention cam with other options or shapes (planned cam)"
    assert mismatch(record, plan, plan.variants[-1]) == told


def test_a_planned_variant_is_built_once_for_all_its_runs(
    plan: Plan, by_hand: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    built: list[str] = []

    def count(variant: PlannedVariant, training: Training) -> AttentionExp:
        built.append(variant.name)
        return build_exp(variant, training)

    monkeypatch.setattr("yolox_attn.study.import_runs.build_exp", count)
    variant = dataclasses.replace(plan.variants[-1], name="not_built_yet")
    records = [read_record(by_hand(seed)) for seed in (0, 1)]
    assert [mismatch(record, plan, variant) for record in records] == [None, None]
    assert built == ["not_built_yet"]


def test_nothing_is_added_to_a_study_whose_files_have_changed(
    tmp_path: Path, plan: Plan, by_hand: Callable[..., Path]
) -> None:
    folder = by_hand()
    Path(plan.truth).write_text("{ }")
    with pytest.raises(InputError, match="was changed after the study was planned"):
        add_runs(tmp_path / "study", [folder])


def test_a_place_is_given_once(tmp_path: Path, plan: Plan, by_hand: Callable[..., Path]) -> None:
    folder = by_hand()
    add_runs(tmp_path / "study", [folder])
    with pytest.raises(InputError, match=f"yolox_demo_cam seed 0 is {folder} already"):
        add_runs(tmp_path / "study", [folder])
    own = {job.key: job for job in jobs(plan, tmp_path / "study")}["yolox_demo_cam/seed1"]
    other = by_hand(1)
    write_record(own.folder, dataclasses.replace(read_record(other), state="interrupted"))
    with pytest.raises(InputError, match="own yolox_demo_cam seed 1, which is interrupted"):
        add_runs(tmp_path / "study", [other])


def test_a_copy_of_the_study_s_own_run_is_refused(
    tmp_path: Path, plan: Plan, by_hand: Callable[..., Path]
) -> None:
    folder = by_hand(1)
    record = dataclasses.replace(read_record(folder), seed=0)
    write_record(jobs(plan, tmp_path / "study")[0].folder, record)
    with pytest.raises(InputError, match="is a copy of the study's own yolox_demo seed 0"):
        add_runs(tmp_path / "study", [folder])


def test_runs_of_other_data_than_the_study_s_are_refused(
    tmp_path: Path, plan: Plan, by_hand: Callable[..., Path]
) -> None:
    record = read_record(by_hand(variant=plan.baseline))
    write_record(jobs(plan, tmp_path / "study")[0].folder, record)
    folder = by_hand(1, data={"train_sha256": "c" * 64})
    with pytest.raises(InputError, match="is unlike yolox_demo seed 0: another data set"):
        add_runs(tmp_path / "study", [folder])


@pytest.mark.parametrize(
    ("split", "needed"), [("val", "detections.json"), ("test", "latest_ckpt.pth")]
)
def test_what_judges_must_be_there(
    tmp_path: Path, by_hand: Callable[..., Path], split: str, needed: str
) -> None:
    make_study(tmp_path / split, training=TRAINING, split=split)
    folder = by_hand()
    (folder / needed).unlink()
    with pytest.raises(InputError, match=f"has no {needed}, by which the study judges"):
        add_runs(tmp_path / split, [folder])


def test_its_evaluation_belongs_to_the_study(tmp_path: Path, by_hand: Callable[..., Path]) -> None:
    study = tmp_path / "test"
    plan = make_study(study, training=TRAINING, split="test")
    add_runs(study, [by_hand()])
    job = {job.key: job for job in jobs(plan, study)}["yolox_demo_cam/seed0"]
    assert state_of(job) == "trained"
    assert job.evaluation == study / "runs/yolox_demo_cam/seed0/eval_test"
    entry = json.loads((study / "added.json").read_text())["yolox_demo_cam/seed0"]
    assert entry["folder"] == str(job.folder)

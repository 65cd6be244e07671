import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_study import make_study
from run_folders import make_record

from yolox_attn.errors import InputError
from yolox_attn.runs import read_record, write_record
from yolox_attn.study.eligibility import built_variant
from yolox_attn.study.import_runs import add_runs
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.planned_run import planned_runs, state_of

TRAINING = Training(data=None, overrides=("max_epoch", "6", "depth", "0.33", "width", "0.125"))
LeaveRun = Callable[..., Path]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Of the study."""
    return tmp_path / "study"


@pytest.fixture
def plan(folder: Path) -> Plan:
    return make_study(folder, training=TRAINING)


@pytest.fixture
def by_hand(tmp_path: Path, plan: Plan) -> LeaveRun:
    """A function that leaves a finished run of the plan's last variant, named as one likes."""

    def leave(seed: int = 0, variant: PlannedVariant = plan.variants[-1], **changes: Any) -> Path:
        built = built_variant(variant, TRAINING)
        record = make_record("mine", seed, 0.4)
        record = dataclasses.replace(
            record,
            attention=built.attention,
            config=built.config | {"seed": seed},
            data={**record.data, "val_sha256": plan.truth_sha256, **changes.pop("data", {})},
            pid=1000 + seed,
        )
        run = tmp_path / "elsewhere" / f"seed{seed}"
        write_record(run, dataclasses.replace(record, **changes))
        (run / "detections.json").touch()
        (run / "latest_ckpt.pth").touch()
        return run

    return leave


def test_a_run_is_known_by_what_was_built(folder: Path, plan: Plan, by_hand: LeaveRun) -> None:
    run = by_hand()
    by_hand(1)
    before = {path: path.read_bytes() for path in run.iterdir()}
    lines = add_runs(folder, [run.parent])
    assert lines == [f"{run.parent}/seed{k} is yolox_demo_cam seed {k}" for k in (0, 1)]
    jobs = {job.key: job for job in planned_runs(plan, folder)}
    states = {key: state_of(job) for key, job in jobs.items()}
    assert states.pop("yolox_demo_cam/seed0") == states.pop("yolox_demo_cam/seed1") == "finished"
    assert set(states.values()) == {"missing"}
    assert jobs["yolox_demo_cam/seed0"].folder == run
    assert {path: path.read_bytes() for path in run.iterdir()} == before


def test_its_baseline_has_no_attention(folder: Path, plan: Plan, by_hand: LeaveRun) -> None:
    run = by_hand(variant=plan.baseline)
    assert add_runs(folder, [run]) == [f"{run} is yolox_demo seed 0"]


def test_names_decide_among_the_users_own_blocks(folder: Path, by_hand: LeaveRun) -> None:
    """Two variants with the same attention, as two callables of one name."""
    variants = [PlannedVariant(name, "variant", None, "yolox-demo-cam") for name in ("a", "b")]
    baseline = PlannedVariant("yolox_demo", "baseline", None, "yolox-demo")
    twins = folder.with_name("twins")
    make_study(twins, training=TRAINING, variants=(baseline, *variants))
    named = by_hand(name="b")
    assert add_runs(twins, [named]) == [f"{named} is b seed 0"]
    with pytest.raises(InputError, match=r"more than one of the plan's variants \(yolox_demo, a"):
        add_runs(twins, [by_hand(1)])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"state": "interrupted"}, "the run was interrupted"),
        ({"stopped_early": {"epoch": 2}}, "its validation split ended the run"),
        ({"seed": 7}, "not as planned: it has seed 7; the plan's are 0, 1"),
        ({"attention_init": "identity"}, "holds attention cam, identity, .* none of the plan's"),
    ],
)
def test_what_is_not_in_the_plan_is_refused(
    folder: Path, by_hand: LeaveRun, changes: dict[str, Any], message: str
) -> None:
    good, bad = by_hand(1), by_hand(**changes)
    with pytest.raises(InputError, match=message):
        add_runs(folder, [good, bad])
    assert not (folder / "added.json").exists()  # not even the good one


def test_nothing_is_added_to_a_study_whose_files_have_changed(
    folder: Path, plan: Plan, by_hand: LeaveRun
) -> None:
    Path(plan.truth).write_text("{ }")
    with pytest.raises(InputError, match="was changed after the study was planned"):
        add_runs(folder, [by_hand()])


def test_a_place_is_given_once(folder: Path, plan: Plan, by_hand: LeaveRun) -> None:
    run = by_hand()
    add_runs(folder, [run])
    with pytest.raises(InputError, match=f"yolox_demo_cam seed 0 is {run} already"):
        add_runs(folder, [run])
    own = {job.key: job for job in planned_runs(plan, folder)}["yolox_demo_cam/seed1"]
    other = by_hand(1)
    write_record(own.folder, dataclasses.replace(read_record(other), state="interrupted"))
    with pytest.raises(InputError, match="own yolox_demo_cam seed 1, which is interrupted"):
        add_runs(folder, [other])


def test_a_copy_of_the_study_s_own_run_is_refused(
    folder: Path, plan: Plan, by_hand: LeaveRun
) -> None:
    run = by_hand(1)
    own = dataclasses.replace(read_record(run), seed=0)
    write_record(planned_runs(plan, folder)[0].folder, own)
    with pytest.raises(InputError, match="is a copy of the study's own yolox_demo seed 0"):
        add_runs(folder, [run])


def test_runs_of_other_data_than_the_study_s_are_refused(
    folder: Path, plan: Plan, by_hand: LeaveRun
) -> None:
    own = read_record(by_hand(variant=plan.baseline))
    write_record(planned_runs(plan, folder)[0].folder, own)
    run = by_hand(1, data={"train_sha256": "c" * 64})
    with pytest.raises(InputError, match="is unlike yolox_demo seed 0: another data set"):
        add_runs(folder, [run])


@pytest.mark.parametrize(
    ("split", "needed"), [("val", "detections.json"), ("test", "latest_ckpt.pth")]
)
def test_what_judges_must_be_there(
    tmp_path: Path, by_hand: LeaveRun, split: str, needed: str
) -> None:
    make_study(tmp_path / split, training=TRAINING, split=split)
    run = by_hand()
    (run / needed).unlink()
    with pytest.raises(InputError, match=f"has no {needed}, by which the study judges"):
        add_runs(tmp_path / split, [run])


def test_its_evaluation_belongs_to_the_study(tmp_path: Path, by_hand: LeaveRun) -> None:
    study = tmp_path / "test"
    plan = make_study(study, training=TRAINING, split="test")
    add_runs(study, [by_hand()])
    job = {job.key: job for job in planned_runs(plan, study)}["yolox_demo_cam/seed0"]
    assert state_of(job) == "trained"
    assert job.evaluation == study / "runs/yolox_demo_cam/seed0/eval_test"
    entry = json.loads((study / "added.json").read_text())["yolox_demo_cam/seed0"]
    assert entry["folder"] == str(job.folder)

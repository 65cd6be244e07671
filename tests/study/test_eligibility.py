import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest
from planned import make_plan, write_exp
from run_folders import make_record
from trained_study import Trained, change

from yolox_attn.runs import RunRecord
from yolox_attn.study.eligibility import built_variant, eligible_runs, mismatch
from yolox_attn.study.plan import Plan, PlannedVariant, Training
from yolox_attn.study.variants import planned_variants

OVERRIDES = ("max_epoch", "6", "depth", "0.33", "width", "0.125")
SE = {"dark3": {"block": "se", "options": {}, "parameters": {}}}


@pytest.fixture
def plan() -> Plan:
    return make_plan(training=Training(data=None, overrides=OVERRIDES))


def record_of(plan: Plan, variant: PlannedVariant, **changes: Any) -> RunRecord:
    """The record of a run of the variant, as planned but for `changes`."""
    built = built_variant(variant, plan.training)
    record = make_record("any", 0, 0.4)
    return dataclasses.replace(
        record,
        attention=changes.pop("attention", built.attention),
        config=built.config | changes.pop("config", {}),
        data={**record.data, "val_sha256": plan.truth_sha256, **changes.pop("data", {})},
        **changes,
    )


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"name": "anything", "device": "cuda:0"}, ""),
        ({"config": {"output_dir": "elsewhere", "patience": 3}}, ""),
        ({"seed": 7}, "it has seed 7; the plan's are 0, 1"),
        ({"batch_size": 4, "accumulate": 2}, "batch size 4 (planned 8), accumulate 2 (planned 1)"),
        ({"processes": 2}, "processes 2 (planned 1)"),
        ({"precision": "fp16"}, "precision fp16 (planned fp32)"),
        ({"pretrained": {"file": "a", "sha256": "b"}}, "checkpoint b (planned None)"),
        ({"config": {"max_epoch": 7, "new": 7}}, "max_epoch 7 (planned 6), new 7 (planned absent)"),
        ({"data": {"val_sha256": "other"}}, "validation annotations other (planned "),
        ({"attention_init": "identity"}, "attention cam, identity (planned cam)"),
        ({"attention": {}}, "attention none (planned cam)"),
        ({"attention": SE}, "attention se at dark3 (planned cam)"),
    ],
)
def test_what_keeps_a_run_from_being_as_planned(
    plan: Plan, changes: dict[str, Any], reason: str
) -> None:
    cam = plan.variants[-1]
    difference = mismatch(record_of(plan, cam, **changes), plan, cam)
    assert reason in difference
    assert bool(difference) == bool(reason)


def test_other_options_are_not_the_planned_ones(plan: Plan) -> None:
    cam = plan.variants[-1]
    record = record_of(plan, cam)
    other = record.attention["dark3"] | {"options": {"ratio": 8}}
    record.attention = record.attention | {"dark3": other}
    reason = "attention cam with other options or shapes (planned cam)"
    assert mismatch(record, plan, cam) == reason


def test_what_attention_would_start_as_does_not_matter_without_any(plan: Plan) -> None:
    record = record_of(plan, plan.baseline, attention_init="identity")
    assert mismatch(record, plan, plan.baseline) == ""


def test_a_planned_variant_is_built_once_and_without_its_checkpoint(tmp_path: Path) -> None:
    """Which may be gone: what was made with it can be judged all the same."""
    note = f"open({str(tmp_path / 'built')!r}, 'a').write('x')"
    method = f"\n    def get_model(self):\n        {note}\n        return super().get_model()\n"
    variants = planned_variants(write_exp(tmp_path, "base", methods=method), [], [])
    plan = make_plan(variants=variants, training=Training(None, checkpoint="gone.pth"))
    mismatches = [mismatch(record_of(plan, variants[0]), plan, variants[0]) for _ in range(2)]
    assert mismatches == ["", ""]
    assert (tmp_path / "built").read_text() == "x"


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "failed", "error": "gradients not finite"}, "failed: gradients not finite"),
        ({"state": "interrupted"}, "interrupted"),
        ({"stopped_early": {"epoch": 2}}, "its validation split ended the run"),
        ({"seed": 1}, "holds seed 1"),
        ({"config": {"max_epoch": 4}}, "not as planned: max_epoch 4 (planned 3)"),
        ({"data": {"train_sha256": "c" * 64}}, "another data set (train_sha256"),
        ({"versions": {"torch": "2.8"}}, "another version of torch"),
    ],
)
def test_a_run_that_cannot_be_judged_is_left_out_by_name(
    trained: Trained, fields: dict[str, Any], reason: str
) -> None:
    """The first of all, and another: no run is above the others."""
    folder, plan = trained()
    for name in ("yolox_nano", "yolox_nano_cam"):
        slot = folder / "runs" / name / "seed0"
        shutil.copytree(slot, kept := folder / "kept")
        change(slot, **fields)
        runs, dropped = eligible_runs(plan, folder)
        assert [(each.name, each.seed) for each in dropped] == [(name, 0)]
        assert reason in dropped[0].why
        assert len(runs) == 8
        shutil.rmtree(slot)
        kept.rename(slot)
    assert len(eligible_runs(plan, folder)[0]) == 9

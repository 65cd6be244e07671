"""The folder of an evaluation says what is not the run's own, and is not written over."""

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

import pytest
import torch

from yolox_attn.core.describe import describe_config
from yolox_attn.errors import InputError
from yolox_attn.exp import NanoExp
from yolox_attn.exp.evaluation import Conditions
from yolox_attn.exp.evaluation_folder import Source, folder_name, refuse_other, settings_of

CPU = Conditions(torch.device("cpu"))


def named(
    exp: NanoExp,
    source: Source,
    checkpoint: Path,
    how: Conditions = CPU,
    given: Collection[str] = (),
) -> str:
    return folder_name(exp, source, how, settings_of(exp, checkpoint, how, given))


@pytest.fixture
def best(tmp_path: Path) -> Path:
    (path := tmp_path / "best_ckpt.pth").write_bytes(b"weights")
    return path


@pytest.mark.parametrize(
    ("how", "name", "folder"),
    [
        ({}, "best_ckpt.pth", "eval_val"),
        ({"test": True}, "best_ckpt.pth", "eval_test"),
        ({"precision": "bf16", "fuse": True, "legacy": True}, "best_ckpt.pth",
         "eval_val_bf16_fused_legacy"),
        ({}, "epoch_3_ckpt.pth", "eval_val_epoch_3"),
        ({}, "odd name (1).pth", "eval_val_oddname1-12a15e"),
    ],
)  # fmt: skip
def test_without_a_record_the_experiment_is_its_own(
    best: Path, how: dict[str, Any], name: str, folder: str
) -> None:
    checkpoint = best.with_name(name)
    checkpoint.write_bytes(b"weights")
    conditions = Conditions(torch.device("cpu"), **how)
    source = Source(best.parent, own=describe_config(NanoExp()))
    assert named(NanoExp(), source, checkpoint, conditions) == folder
    exp = NanoExp()
    exp.test_size = (64, 64)
    assert named(exp, source, best) == "eval_val_64x64"


def test_a_name_of_a_folder_leaves_nothing_out_unsaid(best: Path) -> None:
    source = Source(best.parent, own=describe_config(NanoExp()))
    names = set()
    for value in ([1, 12], [11, 2], ["a" * 99], ["a" * 98]):
        exp = NanoExp()
        exp.scales = value
        names.add(named(exp, source, best, given={"scales"}))
    assert len(names) == 4
    assert all(re.fullmatch(r"eval_val_scales-\w+-[0-9a-f]{6}", name) for name in names)


def test_a_link_to_the_runs_best_is_the_runs_own(best: Path, tmp_path: Path) -> None:
    (away := tmp_path / "away").mkdir()
    moved = best.rename(away / "other.pth")
    best.symlink_to(moved)
    source = Source(best.parent, own=describe_config(NanoExp()))
    assert named(NanoExp(), source, best) == "eval_val"


def test_a_run_and_strange_detections_are_not_written_over(best: Path, tmp_path: Path) -> None:
    settings = settings_of(NanoExp(), best, CPU)
    (tmp_path / "detections.json").write_text("[]")
    with pytest.raises(InputError, match=r"holds a detections\.json of something else"):
        refuse_other(tmp_path, settings)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(InputError, match="it is a run's folder; give one of its own"):
        refuse_other(tmp_path, settings)


def test_other_images_under_the_same_annotations_are_another_evaluation(
    best: Path, tmp_path: Path
) -> None:
    exp, out = NanoExp(), tmp_path / "out"
    for name in ("data", "corrupted"):
        for part in ("annotations", "val2017"):
            (tmp_path / name / part).mkdir(parents=True)
        (tmp_path / name / "annotations/instances_val2017.json").write_text("{}")
        (tmp_path / name / "val2017/1.png").write_text(name)
    exp.data_dir = str(tmp_path / "data")
    out.mkdir()
    (out / "evaluation.json").write_text(json.dumps(settings_of(exp, best, CPU)))
    refuse_other(out, settings_of(exp, best, CPU))
    exp.data_dir = str(tmp_path / "corrupted")
    with pytest.raises(InputError, match=r"another evaluation \(image_files"):
        refuse_other(out, settings_of(exp, best, CPU))


def test_the_same_evaluation_may_be_made_again_and_no_other(best: Path, tmp_path: Path) -> None:
    exp, out = NanoExp(), tmp_path / "out"
    refuse_other(out, settings_of(exp, best, CPU))
    out.mkdir()
    (out / "evaluation.json").write_text(json.dumps(settings_of(exp, best, CPU)))
    refuse_other(out, settings_of(exp, best, CPU))
    best.write_bytes(b"trained on")
    refuse_other(out, settings_of(exp, best, CPU))
    (other := tmp_path / "other.pth").write_bytes(b"others")
    with pytest.raises(InputError, match=r"another evaluation \(checkpoint .*best.* here\); give"):
        refuse_other(out, settings_of(exp, other, CPU))
    exp.test_size = (64, 64)
    with pytest.raises(InputError, match=r"test_size \[416, 416\] there, \[64, 64\] here"):
        refuse_other(out, settings_of(exp, best, CPU))

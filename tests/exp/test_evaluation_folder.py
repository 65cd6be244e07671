"""The folder of an evaluation says what is not the run's own, and is not written over."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from yolox_attn.errors import InputError
from yolox_attn.exp import NanoExp
from yolox_attn.exp.evaluation import Conditions
from yolox_attn.exp.evaluation_folder import Source, folder_name, refuse_other, settings_of

CPU = Conditions(torch.device("cpu"))


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
        ({}, "odd name (1).pth", "eval_val_oddname1"),
    ],
)  # fmt: skip
def test_without_a_record_the_experiment_is_its_own(
    best: Path, how: dict[str, Any], name: str, folder: str
) -> None:
    checkpoint = best.with_name(name)
    checkpoint.write_bytes(b"weights")
    conditions = Conditions(torch.device("cpu"), **how)
    assert folder_name(NanoExp(), Source(best.parent), checkpoint, conditions) == folder


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

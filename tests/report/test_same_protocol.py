"""Which runs `report.build` compares where they were evaluated on their own."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from yolox_attn.errors import InputError
from yolox_attn.report import Run, find_runs
from yolox_attn.report.build import require_same_protocol

WriteRun = Callable[..., Path]
EVALUATION = {
    "split": "test", "annotations": "t.json", "test_size": [64, 64], "confidence": 0.01,
    "nms": 0.65, "precision": "fp32", "fused": False, "legacy": False, "metrics": {"AP": 0.1},
}  # fmt: skip


def evaluated(folder: Path, name: str = "latest_ckpt.pth", **changes: Any) -> Run:
    """The run in `folder` with an evaluation of its own checkpoint."""
    checkpoint = {"file": str(folder / name), "sha256": changes.pop("sha256", str(folder))}
    (folder / "eval").mkdir()
    values = {**EVALUATION, "checkpoint": checkpoint, **changes}
    (folder / "eval" / "evaluation.json").write_text(json.dumps(values))
    return replace(find_runs([folder])[0], evaluation=folder / "eval")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"split": "val"}, "another evaluation (split test / val)"),
        ({"annotations": "x.json"}, "another evaluation (evaluated annotations t.json / x.json)"),
        ({"test_size": [96, 96]}, "(evaluated size [64, 64] / [96, 96])"),
        ({"confidence": 0.001}, "another evaluation (confidence 0.01 / 0.001)"),
        ({"nms": 0.5}, "another evaluation (nms 0.65 / 0.5)"),
        ({"precision": "bf16"}, "another evaluation (evaluation precision fp32 / bf16)"),
        ({"fused": True}, "another evaluation (fused False / True)"),
        ({"legacy": True}, "another evaluation (legacy False / True)"),
        ({"name": "best_ckpt.pth"}, "an evaluation of best_ckpt.pth; judged is the last"),
    ],
)
def test_other_evaluations_must_be_alike(
    write_run: WriteRun, changes: dict[str, Any], message: str
) -> None:
    first = evaluated(write_run("yolox_s"))
    require_same_protocol([first, evaluated(write_run("yolox_s_se"))])
    other = evaluated(write_run("yolox_s_cam"), **changes)
    with pytest.raises(InputError) as caught:
        require_same_protocol([first, other])
    assert message in str(caught.value)


def test_one_checkpoint_is_not_two_runs(write_run: WriteRun) -> None:
    runs = [evaluated(write_run(name), sha256="e" * 64) for name in ("yolox_s", "yolox_s_cam")]
    with pytest.raises(InputError, match="are evaluations of one checkpoint"):
        require_same_protocol(runs)


def test_an_evaluation_is_not_compared_with_a_runs_own_metrics(write_run: WriteRun) -> None:
    runs = [evaluated(write_run("yolox_s")), *find_runs([write_run("yolox_s_cam")])]
    with pytest.raises(InputError, match=r"another evaluation .*split test / absent"):
        require_same_protocol(runs)

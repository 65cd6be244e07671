import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from yolox_attn.report.protocol import protocol_differences, require_same_protocol

from yolox_attn.errors import InputError
from yolox_attn.report import Run, find_runs
from yolox_attn.runs import identify_data

WriteRun = Callable[..., Path]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"config": {"depth": 0.67}}, r"another detector (depth 0.33 / 0.67)"),
        ({"config": {"depthwise": True}}, r"another detector (depthwise False / True)"),
        ({"config": {"max_epoch": 30}}, r"another schedule (max_epoch 3 / 30)"),
        ({"config": {"mixup": 1}}, r"another schedule (mixup absent / 1)"),
        ({"config": {"test_size": [416, 416]}}, "another evaluation (test_size [320, 320] / [416"),
        ({"config": {"num_classes": 4}}, r"another data set (num_classes 3 / 4)"),
        ({"config": {"train_name": "x"}}, r"another data set (train_name train / x)"),
        ({"data": {"val_sha256": "c" * 64}}, "(val_sha256 bbbbbbbbbbbb / cccccccccccc)"),
        ({"data": {"train_images": 91}}, "another data set (train_images 90 / 91)"),
        ({"batch_size": 16}, r"another schedule (batch_size 8 / 16)"),
        ({"accumulate": 2}, r"another schedule (batch_size 8 / 16)"),
        ({"processes": 2}, r"another schedule (processes 1 / 2)"),
        ({"precision": "bf16"}, r"another schedule (precision fp32 / bf16)"),
        ({"epoch": 2}, r"another schedule (epochs trained 3 / 2)"),
        ({"pretrained": {"file": "w", "sha256": "d" * 64}}, "(pretrained None / dddddddddddd)"),
        (
            {"config": {"depth": 1.0, "max_epoch": 30}, "batch_size": 4},
            "another schedule (batch_size 8 / 4, max_epoch 3 / 30), "
            "another detector (depth 0.33 / 1.0)",
        ),
    ],
)
def test_another_protocol_is_refused(
    write_run: WriteRun, changes: dict[str, Any], message: str
) -> None:
    folders = [write_run("yolox_s"), write_run("yolox_s_se"), write_run("yolox_s_cam", **changes)]
    with pytest.raises(InputError) as caught:
        require_same_protocol(find_runs(folders))
    assert f"{folders[0]} and {folders[2]} cannot be compared: " in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {"attention_options": {"ratio": 4}, "exp_name": "x", "output_dir": "y"}},
        {"config": {"print_interval": 1, "data_num_workers": 9, "eval_interval": 2, "seed": 5}},
        {"config": {"data_dir": "moved", "train_ann": "renamed.json"}},
        {"data": {"dir": "moved", "train_ann": "renamed.json"}},
        {"batch_size": 4, "accumulate": 2, "cpu": "another"},
        {"config": {"channels_last": False, "patience": 3}},
        {"threads": 8, "device": "cuda:0", "memory_format": "contiguous", "seconds": 9.0},
    ],
)
def test_what_changes_no_learning_is_let_pass(write_run: WriteRun, changes: dict[str, Any]) -> None:
    require_same_protocol(find_runs([write_run("yolox_s"), write_run("yolox_s_cam", **changes)]))


@pytest.mark.parametrize("moved", [{"dir": "moved"}, {"val_ann": "other.json"}])
def test_without_hashes_the_data_must_lie_in_one_place(
    write_run: WriteRun, moved: dict[str, str]
) -> None:
    unknown = {"train_sha256": None, "val_sha256": None}
    same = [write_run(name, data=unknown) for name in ("yolox_s", "yolox_s_se")]
    require_same_protocol(find_runs(same))
    other = write_run("yolox_s_cam", data={**unknown, **moved})
    with pytest.raises(InputError, match="another data set"):
        require_same_protocol(find_runs([*same, other]))


def test_differences_in_training_are_told_in_a_sentence(write_run: WriteRun) -> None:
    runs = find_runs([write_run("yolox_s"), write_run("yolox_s_cam", config={"max_epoch": 30})])
    first, second = (run.record for run in runs)
    assert protocol_differences(first, second) == "another schedule (max_epoch 3 / 30)"
    assert protocol_differences(first, first) == ""


TOLD = {"split": "test", "annotations": "t.json", "test_size": [64, 64], "confidence": 0.01}


TOLD |= {"nms": 0.65, "precision": "fp32", "fused": False, "legacy": False, "metrics": {"AP": 0.1}}


def evaluated(folder: Path, name: str = "latest_ckpt.pth", **changes: Any) -> Run:
    """The run in `folder` with an evaluation of its own checkpoint."""
    checkpoint = {"file": str(folder / name), "sha256": changes.pop("sha256", str(folder))}
    (folder / "eval").mkdir()
    told = {**TOLD, "checkpoint": checkpoint, **changes}
    (folder / "eval" / "evaluation.json").write_text(json.dumps(told))
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


def test_an_evaluation_does_not_stand_beside_a_runs_own_figures(write_run: WriteRun) -> None:
    runs = [evaluated(write_run("yolox_s")), *find_runs([write_run("yolox_s_cam")])]
    with pytest.raises(InputError, match=r"another evaluation .*split test / absent"):
        require_same_protocol(runs)


DATA = {"dir": "d", "train_ann": "t", "val_ann": "v", "train_sha256": "a", "val_sha256": "b"}


def test_data_are_known_by_content_wherever_they_lie() -> None:
    assert identify_data(DATA) == identify_data({**DATA, "dir": "moved", "train_ann": "renamed"})
    assert identify_data(DATA) != identify_data({**DATA, "val_sha256": "c"})


def test_without_hashes_the_place_counts() -> None:
    unknown = {**DATA, "val_sha256": None}
    assert identify_data(unknown) != identify_data({**unknown, "dir": "moved"})
    assert identify_data(unknown) != identify_data({**unknown, "train_ann": "renamed"})

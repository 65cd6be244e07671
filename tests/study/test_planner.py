import json
import math
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger
from planned import make_request, with_test_split, write_exp

from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp, use_data
from yolox_attn.runs.codec import file_hash
from yolox_attn.stats.verdict import Terms
from yolox_attn.study.plan import Training, read_plan, write_plan
from yolox_attn.study.planner import Made, check_request, make_plan, noise_prior, with_absolute_paths

Plan = Callable[..., Made]
TRAIN = "annotations/instances_train2017.json"
VAL = "annotations/instances_val2017.json"


@pytest.fixture
def base(tmp_path: Path) -> str:
    return write_exp(tmp_path, "base")


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    """The drawn set with a test split, whose images come from scenes of two each."""
    return with_test_split(drawn, tmp_path / "data")


@pytest.fixture
def plan(base: str, drawn: Path) -> Plan:
    def make(**changes: Any) -> Made:
        changes.setdefault("variants", ("cam",))
        return make_plan(make_request(base, changes.pop("on", drawn), **changes))

    return make


def test_everything_that_decides_the_study_is_in_the_plan(
    plan: Plan, drawn: Path, tmp_path: Path
) -> None:
    terms = Terms(sesoi=0.3, alpha=0.1)
    made = plan(seeds=(3, 5, 8), terms=terms, overrides=("max_epoch", "6"), controls=("placebo",))
    found = made.plan
    assert [each.name for each in found.variants] == ["base", "base_placebo", "base_cam"]
    assert [each.role for each in found.variants] == ["baseline", "control", "variant"]
    assert (found.seeds, found.terms, found.split) == ((3, 5, 8), terms, "val")
    assert found.truth == str((drawn / VAL).resolve())
    assert found.truth_sha256 == file_hash(drawn / VAL)
    assert found.training.data == str(drawn.resolve())
    assert found.training.overrides == ("max_epoch", "6")
    assert found.data_sha256 == {
        str((drawn / each).resolve()): file_hash(drawn / each) for each in (TRAIN, VAL)
    }
    assert found.groups_sha256 is None
    assert found.versions["torch"]
    assert (made.images, made.groups, made.remarks) == (5, None, ())
    write_plan(tmp_path / "study", found)
    assert read_plan(tmp_path / "study") == found


def save_weights(base: str, data: Path, path: Path) -> None:
    exp = load_exp(base)
    use_data(exp, data)
    torch.save({"model": exp.get_model().state_dict()}, path)


def test_fresh_blocks_on_pretrained_weights_are_told_once(
    plan: Plan, base: str, drawn: Path, tmp_path: Path
) -> None:
    logged: list[str] = []
    sink = logger.add(logged.append)
    path = str(tmp_path / "w.pth")
    save_weights(base, drawn, Path(path))
    (told,) = plan(checkpoint=path, variants=("cam", "eca")).remarks
    assert "attention_init identity" in told
    assert plan(checkpoint=path, overrides=("attention_init", "identity")).remarks == ()
    logger.remove(sink)
    assert logged == []  # and not by each model that is built


def test_too_few_seeds_are_told(plan: Plan) -> None:
    assert plan(seeds=(0, 1)).remarks == (
        "2 seeds: there will be no verdict; that needs 3 or more",
    )
    assert plan(seeds=(4,)).remarks[0].startswith("1 seed: there will be no verdict")


def test_the_split_and_the_groups_that_judge(plan: Plan, data: Path) -> None:
    made = plan(on=data, split="test", groups="scene")
    assert made.plan.truth == str(data / "annotations/instances_test2017.json")
    assert (made.plan.split, made.plan.groups) == ("test", "scene")
    assert (made.images, made.groups) == (5, 3)


def test_files_that_are_no_exps_are_bound_too(
    plan: Plan, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    images = json.loads((drawn / VAL).read_text())["images"]
    table, block = tmp_path / "groups.csv", tmp_path / "my_bound_block.py"
    rows = [f"{image['file_name']},{number % 2}" for number, image in enumerate(images)]
    table.write_text("\n".join(["image,group", *rows]))
    block.write_text("width = 3\n")
    mine = write_exp(tmp_path, "mine", "import my_bound_block", "self.attention = 'eca'")
    try:
        found = plan(variants=("cam", mine), groups=str(table)).plan
    finally:
        del sys.modules["my_bound_block"]
    assert found.groups_sha256 == file_hash(table)
    assert found.sources[str(block.resolve())] == file_hash(block)
    assert plan(variants=("cam",), groups="id").plan.groups_sha256 is None


def test_no_split_may_cut_a_run_short(plan: Plan, data: Path) -> None:
    with pytest.raises(InputError, match=r"patience 2: .*; set patience 0$"):
        plan(on=data, split="test", overrides=("patience", "2"))


def test_a_demo_experiment_brings_its_own_data(
    monkeypatch: pytest.MonkeyPatch, drawn: Path
) -> None:
    monkeypatch.setattr("yolox_attn.exp.demo.drawn_set", lambda: drawn)
    request = replace(make_request("yolox-demo", drawn), variants=("eca",))
    made = make_plan(replace(request, training=replace(request.training, data=None)))
    assert made.plan.training.data is None
    assert made.plan.truth == str((drawn / VAL).resolve())


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": (1, 2, 1)}, "--seeds: 1 stands there twice"),
        ({"overrides": ("max_epoc", "5")}, "override 'max_epoc': no such setting"),
        ({"overrides": ("max_epoch",)}, "'max_epoch' has no value"),
        ({"overrides": ("test_size", "100,100")}, "test_size (100, 100): height and width"),
        ({"overrides": ("max_epoch", "1")}, "max_epoch 1 leaves no epoch"),
        ({"overrides": ("patience", "2")}, "patience 2: a run that its validation split ends is"),
        ({"variants": ("camm",)}, "--variants camm: no Exp file"),
        ({"variants": ("cam", "cam")}, "base_cam stands 2 times"),
        ({"groups": "video"}, "5 images have no 'video' in the truth"),
        ({"on": Path("nowhere")}, "no data folder"),
        ({"split": "test"}, "instances_test2017.json"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line(
    plan: Plan, changes: dict[str, Any], told: str
) -> None:
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        plan(**changes)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_checkpoint_is_refused(plan: Plan, tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_text("no weights")
    with pytest.raises(InputError, match=r"w.pth: not a readable checkpoint"):
        plan(checkpoint=str(tmp_path / "w.pth"))


def test_paths_are_whole_and_the_checkpoint_has_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("w.pth").write_bytes(b"weights")
    overrides = ("max_epoch", "3", "data_dir", "there")
    found = with_absolute_paths(Training("here", checkpoint="w.pth", overrides=overrides))
    root = tmp_path.resolve()
    assert found.data == str(root / "here")
    assert found.checkpoint == str(root / "w.pth")
    assert found.checkpoint_sha256 == file_hash(Path("w.pth"))
    assert found.overrides == ("max_epoch", "3", "data_dir", str(root / "there"))


def test_what_is_not_given_stays_so() -> None:
    assert with_absolute_paths(Training(None)) == Training(None)


def test_a_sound_request_passes() -> None:
    check_request(
        make_request("yolox-nano", Path("data"), overrides=("attention_init", "identity"))
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": (1, 2, 1)}, "--seeds: 1 stands there twice"),
        ({"seeds": (0, -1)}, "--seeds -1: a seed is from 0"),
        ({"seeds": ()}, "--seeds: at least 1"),
        ({"split": "train"}, "--split train: it is val or test"),
        ({"batch_size": 0}, "--batch-size 0: at least 1"),
        ({"accumulate": 0}, "--accumulate 0: at least 1"),
        ({"threads": 0}, "--threads 0: at least 1"),
        ({"checkpoint": "nowhere.pth"}, "no checkpoint nowhere.pth"),
        ({"overrides": ("attention", "se")}, "override attention: a study sets it by itself"),
        (
            {"overrides": ("max_epoch", "5", "attention_options", "{}")},
            "override attention_options",
        ),
        ({"overrides": ("seed", "1")}, "override seed: a study sets it by itself"),
        ({"overrides": ("output_dir", "x")}, "override output_dir: a study sets it by itself"),
        ({"overrides": ("exp_name", "x")}, "override exp_name: a study sets it by itself"),
    ],
)
def test_what_cannot_be_asked_is_refused_in_one_line(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        check_request(make_request("yolox-nano", Path("data"), **changes))
    assert "\n" not in str(refused.value)


def write_report(folder: Path, noise: object) -> Path:
    folder.mkdir(parents=True)
    (folder / "comparison.json").write_text(json.dumps({"schema": 1, "seed_noise": noise}))
    return folder


def test_a_number_is_itself() -> None:
    assert noise_prior("0.6") == 0.6


def test_a_study_of_the_baseline_tells_sqrt_two_of_its_noise(tmp_path: Path) -> None:
    report = write_report(tmp_path / "study/report", {"runs": 3, "sd": 0.003})
    assert noise_prior(str(tmp_path / "study")) == pytest.approx(0.3 * math.sqrt(2))
    assert noise_prior(str(report)) == pytest.approx(0.3 * math.sqrt(2))


@pytest.mark.parametrize("word", ["0", "-1", "nan", "inf"])
def test_a_number_that_is_no_noise_is_refused(word: str) -> None:
    with pytest.raises(InputError, match=f"--noise {word}: a standard deviation in AP points"):
        noise_prior(word)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    told = f"--noise {tmp_path}: neither a number nor a study that has a report"
    with pytest.raises(InputError, match=re.escape(told)):
        noise_prior(str(tmp_path))


@pytest.mark.parametrize("noise", [None, {"sd": None}, {"sd": 0}, {"sd": "x"}])
def test_a_report_without_noise_is_refused(tmp_path: Path, noise: object) -> None:
    write_report(tmp_path / "report", noise)
    with pytest.raises(InputError, match=r"comparison.json knows no noise of seeds"):
        noise_prior(str(tmp_path))

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger
from planned import make_request, with_test_split, write_exp, write_groups

from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp, use_data
from yolox_attn.runs import file_hash
from yolox_attn.stats.stages import Stages, levels
from yolox_attn.stats.terms import Terms
from yolox_attn.study import planner
from yolox_attn.study.plan import PlannedVariant, Training, read_plan
from yolox_attn.study.planner import PlannedStudy, PlanRequest, plan_study
from yolox_attn.study.probe import Probe
from yolox_attn.study.summary import plan_lines

PlanIt = Callable[..., PlannedStudy]
TRAIN = "annotations/instances_train2017.json"
VAL = "annotations/instances_val2017.json"


def silent(_: str) -> None:
    """Nobody listens."""


@pytest.fixture
def base(tmp_path: Path) -> str:
    return write_exp(tmp_path, "base")


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    """The drawn set with a test split, whose images come from scenes of two each."""
    return with_test_split(drawn, tmp_path / "data")


@pytest.fixture
def plan(base: str, drawn: Path, tmp_path: Path) -> PlanIt:
    """A function that plans the next study of `base` and cam; keywords change the request."""
    folders = (tmp_path / f"study{number}" for number in range(9))

    def make(**changes: Any) -> PlannedStudy:
        changes.setdefault("variants", ("cam",))
        request = make_request(base, changes.pop("on", drawn), **changes)
        return plan_study(next(folders), request, silent)

    return make


def test_everything_that_decides_the_study_is_in_the_plan(
    base: str, drawn: Path, tmp_path: Path
) -> None:
    terms = Terms(sesoi=0.3, alpha=0.1)
    changes = {"seeds": (3, 5, 8), "terms": terms, "overrides": ("max_epoch", "6")}
    request = make_request(
        base, drawn, variants=("cam",), controls=("placebo",), command="typed", **changes
    )
    study = plan_study(tmp_path / "study", request, silent)
    plan = study.plan
    assert [each.name for each in plan.variants] == ["base", "base_placebo", "base_cam"]
    assert [each.role for each in plan.variants] == ["baseline", "control", "variant"]
    assert (plan.seeds, plan.terms, plan.split) == ((3, 5, 8), terms, "val")
    assert plan.truth == str((drawn / VAL).resolve())
    assert plan.truth_sha256 == file_hash(drawn / VAL)
    assert plan.training.data == str(drawn.resolve())
    assert plan.training.overrides == ("max_epoch", "6")
    assert plan.data_sha256 == {
        str((drawn / each).resolve()): file_hash(drawn / each) for each in (TRAIN, VAL)
    }
    assert plan.groups_sha256 is None
    assert plan.versions["torch"]
    assert plan.command == "typed"
    assert (study.images, study.groups, study.remarks) == (5, None, ())
    assert read_plan(tmp_path / "study") == plan
    with pytest.raises(InputError, match=r"study/plan\.json is there already"):
        plan_study(tmp_path / "study", PlanRequest("nowhere.py", Training(None)), silent)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="file is a file; a study is a folder"):
        plan_study(tmp_path / "file", PlanRequest("nowhere.py", Training(None)), silent)


def test_each_variant_is_timed_where_the_user_says(
    base: str, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getloadavg", lambda: (999.5, 0, 0), raising=False)
    answers: dict[str, Probe | str] = {
        "base": Probe(1800, 1.0, 0.0, 1800, 0, 2**31, "cpu x86_64"),
        "base_cam": "out of memory",
    }
    asked, lines = [], []

    def time_variant(
        variant: PlannedVariant, training: Training, split: str, device: str, many: int
    ) -> Probe | str:
        asked.append((variant.name, training.batch_size, split, device, many))
        found = answers[variant.name]
        slower = {2: 1.5, 4: 3.5, 8: 9.0}
        return replace(found, step=slower[many]) if many > 1 and isinstance(found, Probe) else found

    monkeypatch.setattr(planner, "runs_that_fit", lambda *_: 8)

    request = make_request(
        base, drawn, variants=("cam",), noise=("0.6",), timed=True, device="cpu", batch_size=4
    )
    study = plan_study(tmp_path / "study", request, lines.append, time_variant=time_variant)
    tried = [("base", 1), ("base_cam", 1), ("base", 2), ("base", 4)]
    assert asked == [(name, 4, "val", "cpu", many) for name, many in tried]
    assert lines == [
        *("timing base (1 of 2) ...", "timing base_cam (2 of 2) ..."),
        *("timing base, 2 at a time ...", "timing base, 4 at a time ..."),
    ]
    assert study.probes == answers
    assert study.remarks == ("the machine was busy (load 999.5): alone the runs take less time",)
    assert (
        read_plan(tmp_path / "study").expected
        == study.plan.expected
        == {
            "runs": 6,
            "seconds_of_a_run": {"base": 3600.0},
            "seconds": 3 * 3600.0,
            "slowdown": {"2": 1.5, "4": 3.5},  # less than two get done: eight are not tried
            "memory": 2**31,
            "device": "cpu x86_64",
            "paired_sd": 0.6,
            "detectable": pytest.approx(1.96, abs=0.01),
        }
    )


def test_what_is_not_estimated_is_none_in_the_plan(plan: PlanIt) -> None:
    expected = plan(variants=("cam", "eca")).plan.expected
    assert (expected["runs"], expected["seconds_of_a_run"]) == (9, {})
    assert {expected[key] for key in ("seconds", "memory", "device", "detectable")} == {None}
    two_blocks = plan(variants=("cam", "eca"), noise=("1",)).plan.expected["detectable"]
    assert two_blocks == pytest.approx(4.6, abs=0.1)  # they share alpha


def test_fresh_blocks_on_pretrained_weights_are_a_remark_and_nothing_is_logged(
    plan: PlanIt, base: str, drawn: Path, tmp_path: Path
) -> None:
    logged: list[str] = []
    sink = logger.add(logged.append)
    exp = load_exp(base)
    use_data(exp, drawn)
    path = tmp_path / "w.pth"
    torch.save({"model": exp.get_model().state_dict()}, path)
    study = plan(checkpoint=str(path))
    assert study.plan.training.checkpoint_sha256 == file_hash(path)
    (remark,) = study.remarks
    assert "attention_init identity" in remark
    assert plan(checkpoint=str(path), overrides=("attention_init", "identity")).remarks == ()
    logger.remove(sink)
    assert logged == []


def test_too_few_seeds_are_a_remark(plan: PlanIt) -> None:
    assert plan(variants=(), seeds=(0, 1)).remarks == (
        "2 seeds: there will be no verdict; that needs 3 or more",
    )
    assert plan(variants=(), seeds=(4,)).remarks[0].startswith("1 seed: there will be no verdict")


def test_the_split_and_the_groups_that_judge(plan: PlanIt, data: Path, tmp_path: Path) -> None:
    study = plan(on=data, split="test", groups="scene")
    assert study.plan.truth == str(data / "annotations/instances_test2017.json")
    assert (study.plan.split, study.plan.groups) == ("test", "scene")
    assert (study.images, study.groups, study.plan.groups_sha256) == (5, 3, None)
    table = write_groups(data, tmp_path / "groups.csv")
    assert plan(on=data, groups=str(table)).plan.groups_sha256 == file_hash(table)


def test_paths_are_whole_wherever_they_are_given(
    base: str, drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(drawn.parent)
    overrides = ("max_epoch", "3", "data_dir", drawn.name)
    request = make_request(base, Path(drawn.name), variants=("cam",), overrides=overrides)
    training = plan_study(tmp_path / "study", request, silent).plan.training
    assert training.data == str(drawn.resolve())
    assert training.overrides == (*overrides[:3], str(drawn.resolve()))
    assert (training.checkpoint, training.checkpoint_sha256) == (None, None)


def test_a_demo_experiment_brings_its_own_data(
    monkeypatch: pytest.MonkeyPatch, drawn: Path, tmp_path: Path
) -> None:
    monkeypatch.setattr("yolox_attn.exp.demo.drawn_set", lambda: drawn)
    request = PlanRequest("yolox-demo", Training(None), ("eca",), timed=False)
    plan = plan_study(tmp_path / "study", request, silent).plan
    assert plan.training.data is None
    assert plan.truth == str((drawn / VAL).resolve())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seeds": (1, 2, 1)}, "--seeds: 1 is given twice"),
        ({"seeds": (0, -1)}, "--seeds -1: a seed is from 0"),
        ({"seeds": ()}, "--seeds: at least 1"),
        ({"split": "train"}, "--split train: it is val or test"),
        ({"batch_size": 0}, "--batch-size 0: at least 1"),
        ({"accumulate": 0}, "--accumulate 0: at least 1"),
        ({"threads": 0}, "--threads 0: at least 1"),
        ({"checkpoint": "nowhere.pth"}, "no checkpoint nowhere.pth"),
        *(
            ({"overrides": ("max_epoch", "5", key, "x")}, f"override {key}: a study sets it by its")
            for key in ("attention", "attention_options", "seed", "output_dir", "exp_name")
        ),
        ({"noise": ("0",)}, "--noise 0: a standard deviation in AP points"),
        ({"device": "tpu"}, "unknown device 'tpu'"),
        ({"precision": "fp16", "device": "cpu", "timed": True}, "--fp16 needs a CUDA device"),
        ({"overrides": ("max_epoc", "5")}, "override 'max_epoc': no such setting"),
        ({"overrides": ("max_epoch",)}, "'max_epoch' has no value"),
        ({"overrides": ("test_size", "100,100")}, "test_size (100, 100): height and width"),
        ({"overrides": ("max_epoch", "1")}, "max_epoch 1 leaves no epoch"),
        ({"overrides": ("patience", "2")}, "patience 2: a run that its validation split ends is"),
        ({"variants": ("camm",)}, "--variants camm: no Exp file"),
        ({"variants": ("cam", "cam")}, "base_cam is given 2 times"),
        ({"groups": "video"}, "5 images have no 'video' in the truth"),
        ({"on": Path("nowhere")}, "no data folder"),
        ({"split": "test"}, "instances_test2017.json"),
        ({"checkpoint": __file__}, "test_planner.py: not a readable checkpoint"),
    ],
)
def test_what_cannot_work_is_refused_in_one_line_and_leaves_nothing(
    plan: PlanIt, tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=re.escape(message)) as refused:
        plan(**changes)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.glob("study*"))


def test_no_split_may_cut_a_run_short(plan: PlanIt, data: Path) -> None:
    with pytest.raises(InputError, match=r"patience 2: .*; set patience 0$"):
        plan(on=data, split="test", overrides=("patience", "2"))


def test_looks_and_their_levels_are_in_the_plan(plan: PlanIt) -> None:
    study = plan(variants=("cam", "eca"), seeds=tuple(range(5)), looks=(3, 5))
    assert study.plan.stages == Stages((3, 5), levels((3, 5), 0.05, 2))
    assert plan().plan.stages is None
    lines = "\n".join(plan_lines(study, 1))
    assert "looks: at 3, 5 seeds a side; p below 0.0090, 0.0176" in lines
    assert "no further runs, so the times below are the most" in lines


def test_looks_need_a_block_and_must_grow(plan: PlanIt) -> None:
    with pytest.raises(InputError, match="--looks: controls are no blocks"):
        plan(variants=(), controls=("placebo",), seeds=tuple(range(5)), looks=(3, 5))
    with pytest.raises(InputError, match="looks 2 5: the first needs at least 3 seeds"):
        plan(seeds=tuple(range(5)), looks=(2, 5))

"""An experiment as a run had it: Exp file by its hash, then every setting of the record."""

import json
import py_compile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from yolox_attn.core.describe import describe_config
from yolox_attn.errors import InputError
from yolox_attn.exp import NanoExp, load_exp
from yolox_attn.exp.loader import exp_from_file
from yolox_attn.exp.rebuild import exp_of, restore, same_experiment
from yolox_attn.runs import RunRecord, file_hash, read_record

WriteRun = Callable[..., Path]
CALLABLE = """
from torch import nn
from yolox_attn.exp import NanoExp
class Strip(nn.Identity):
    def __init__(self, channels):
        super().__init__()
class Exp(NanoExp):
    def __init__(self):
        super().__init__()
        self.attention = Strip
"""


@pytest.fixture
def record(write_run: WriteRun) -> RunRecord:
    return read_record(write_run("yolox_nano_cam"))


def with_config(record: RunRecord, exp: NanoExp) -> RunRecord:
    return replace(record, config=json.loads(json.dumps(describe_config(exp))))


def test_every_setting_comes_back_with_its_type(record: RunRecord) -> None:
    trained = NanoExp()
    changed: dict[str, Any] = {
        "attention": {"dark4": "attnconv"}, "test_size": (320, 352), "random_size": (3, 4),
        "attention_options": {"dark4": {"group_split": (4, 4)}}, "num_classes": 3, "seed": 4,
        "freeze": ("backbone.*",), "nmsthre": 0.4, "val_name": "valid", "max_epoch": 7,
    }  # fmt: skip
    vars(trained).update(changed)
    exp = NanoExp()
    said = restore(exp, with_config(record, trained))
    assert {key: getattr(exp, key) for key in changed} == changed
    assert "test_size [416, 416] -> [320, 352]" in said
    assert not [line for line in said if line.startswith(("output_dir", "exp_name"))]
    assert exp.data_dir is None
    assert f"the run's data folder {record.data['dir']} is gone" in said


def test_the_data_are_the_runs_where_they_still_are(record: RunRecord, tmp_path: Path) -> None:
    record.data["dir"] = str(tmp_path)
    said = restore(exp := NanoExp(), with_config(record, NanoExp()))
    assert exp.data_dir == str(tmp_path)
    assert said == [f"data_dir None -> {tmp_path}"]


def test_what_is_kept_and_what_belongs_to_the_place_stays(record: RunRecord) -> None:
    trained = NanoExp()
    trained.test_size, trained.output_dir, trained.data_num_workers = (64, 64), "there", 9
    exp = NanoExp()
    exp.data_dir = "mine"
    assert restore(exp, with_config(record, trained), {"test_size", "data_dir"}) == []
    record.config["get_model"] = None  # no setting, whoever wrote it
    assert restore(exp, record, {"test_size", "data_dir"})
    assert callable(exp.get_model)
    assert (exp.test_size, exp.data_dir) == ((416, 416), "mine")
    assert (exp.output_dir, exp.data_num_workers) == (
        NanoExp().output_dir,
        NanoExp().data_num_workers,
    )


def test_an_object_is_of_the_exp_file_alone(record: RunRecord, tmp_path: Path) -> None:
    (file := tmp_path / "own.py").write_text(CALLABLE)
    trained = load_exp(str(file))
    record = with_config(record, trained)
    assert record.config["attention"] == "own:Strip"
    restore(again := load_exp(str(file)), record)
    assert again.attention.__name__ == "Strip"  # type: ignore[union-attr]
    with pytest.raises(InputError, match=r"attention was own:Strip in the run and is none here"):
        restore(NanoExp(), record)
    exp = NanoExp()
    exp.hooks = {"loss": [len]}
    record = with_config(record, exp)
    exp.hooks = {"loss": [max]}
    with pytest.raises(InputError, match=r"hooks was .*builtins:len.* cannot be made from run"):
        restore(exp, record, {"attention"})


def test_the_exp_file_must_be_the_one_of_the_run(record: RunRecord, tmp_path: Path) -> None:
    (file := tmp_path / "own.py").write_text(CALLABLE)
    of_file = replace(record, exp_file=str(file), exp_sha256=file_hash(file))
    assert exp_of(of_file).exp_name == "own"
    assert exp_of(record).attention == "cam"  # by its name, yolox-nano-cam
    for wrong, says in (
        (replace(of_file, exp_sha256="0" * 64), "has changed since the run was made"),
        (replace(of_file, exp_sha256=None), "has no sha256 of its Exp file"),
        (replace(of_file, exp_file=str(tmp_path / "no.py")), r"no\.py is gone"),
        (replace(record, exp_name_arg=None), "names no Exp file"),
    ):
        with pytest.raises(InputError, match=says):
            exp_of(wrong)


def test_what_is_hashed_is_what_is_run(tmp_path: Path) -> None:
    """Not an older compiled form of it, which Python would take by its time and size."""
    (file := tmp_path / "own.py").write_text(CALLABLE)
    py_compile.compile(str(file), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
    file.write_text(CALLABLE.replace("self.attention = Strip", "self.attention = 'se'"))
    assert exp_from_file(file, sha256=file_hash(file)).attention == "se"


def test_an_experiment_is_known_by_place_content_or_name(record: RunRecord, tmp_path: Path) -> None:
    (file := tmp_path / "own.py").write_text(CALLABLE)
    (copy := tmp_path / "copy.py").write_text(CALLABLE)
    (other := tmp_path / "other.py").write_text(f"{CALLABLE}\n")
    of_file = replace(record, exp_file=str(file), exp_sha256=file_hash(file), exp_name_arg=None)
    known = [same_experiment(of_file, str(each), None) for each in (file, copy, other)]
    assert known == [True, True, False]
    assert not same_experiment(of_file, None, "yolox-nano-cam")
    assert same_experiment(record, None, "yolox-nano-cam")
    assert not same_experiment(record, None, "yolox-nano")
    file.write_text("changed since, and named all the same")
    assert same_experiment(of_file, str(file), None)

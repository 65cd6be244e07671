import dataclasses
import json
import math
import os
import stat
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.runs import RunRecord, hold, read_record, write_record


@pytest.fixture
def record() -> RunRecord:
    return RunRecord(
        name="yolox_s_cam",
        seed=1,
        pid=7,
        command=["train", "-f", "exps/yolox_s_cam.py"],
        exp_file="exps/yolox_s_cam.py",
        exp_name_arg=None,
        overrides=["max_epoch", "3"],
        attention={"dark3": {"block": "cam", "options": {}, "parameters": {"conv.weight": [4, 2]}}},
        attention_init="published",
        config={"depth": 0.33, "test_size": [640, 640], "data_dir": None},
        batch_size=8,
        precision="fp32",
        memory_format="channels_last",
        device="cpu x86_64",
        threads=2,
        versions={"torch": "2.9"},
        data={"dir": "d", "classes": ["ä", "b"]},
        pretrained=None,
        parameters=9_000_000,
        trainable_parameters=9_000_000,
        gflops=26.8,
        started="2026-01-01T00:00:00",
        metrics={"AP": 0.25, "APs": None},
    )


def test_a_record_comes_back_as_it_was(tmp_path: Path, record: RunRecord) -> None:
    write_record(tmp_path / "new", record)
    assert read_record(tmp_path / "new") == record
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.json"]


def test_the_file_is_strict_json_without_nan(tmp_path: Path, record: RunRecord) -> None:
    record.metrics["AP"] = math.nan
    record.config["sizes"] = (1.5, math.inf)
    write_record(tmp_path, record)
    text = (tmp_path / "run.json").read_text()
    values = json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} in {text}"))
    assert values["metrics"]["AP"] is None
    assert values["config"]["sizes"] == [1.5, None]


def test_the_file_has_the_permissions_of_any_new_file(tmp_path: Path, record: RunRecord) -> None:
    (tmp_path / "plain").touch()
    write_record(tmp_path, record)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("run.json", "plain")]
    assert modes[0] == modes[1]


def test_a_failing_write_leaves_the_old_file(
    tmp_path: Path, record: RunRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_record(tmp_path, record)

    def full_disk(_: int) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="no space left"):
        write_record(tmp_path, dataclasses.replace(record, epoch=9))
    assert read_record(tmp_path) == record
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


def test_a_reader_at_work_keeps_the_file_it_opened(tmp_path: Path, record: RunRecord) -> None:
    write_record(tmp_path, record)
    with (tmp_path / "run.json").open() as file:
        write_record(tmp_path, dataclasses.replace(record, epoch=9))
        assert json.load(file)["epoch"] == 0
    assert read_record(tmp_path).epoch == 9


def test_what_cannot_be_said_in_json_is_refused(tmp_path: Path, record: RunRecord) -> None:
    record.config["model"] = object()
    with pytest.raises(TypeError):
        write_record(tmp_path, record)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_and_a_folder_without_a_record(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing: no such folder"):
        read_record(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"not a run folder, it has no run\.json"):
        read_record(tmp_path)


def test_a_record_from_before_a_field_was_added_is_read(tmp_path: Path, record: RunRecord) -> None:
    write_record(tmp_path, dataclasses.replace(record, optimised_parameters=9))
    assert read_record(tmp_path).optimised_parameters == 9
    values = json.loads((tmp_path / "run.json").read_text())
    del values["optimised_parameters"]
    (tmp_path / "run.json").write_text(json.dumps(values))
    assert read_record(tmp_path) == record


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema": 1, "name"', "cannot be read as JSON"),
        ("[1, 2]", "schema None; this version reads schema 1"),
        ('{"schema": 2}', "schema 2; this version reads schema 1"),
        ('{"schema": 1, "name": "a"}', "attention is missing"),
    ],
)
def test_broken_records_are_told_in_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_record(tmp_path)
    assert "run.json" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("figures", None, "figures is None"),
        ("batch_size", "8", "batch_size is '8'"),
        ("colour", "red", "unknown field colour"),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, record: RunRecord, field: str, value: object, message: str
) -> None:
    values = {**dataclasses.asdict(record), field: value}
    (tmp_path / "run.json").write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        read_record(tmp_path)


def test_a_whole_number_stands_for_a_float(tmp_path: Path, record: RunRecord) -> None:
    values = {**dataclasses.asdict(record), "gflops": 27, "seconds": 0}
    (tmp_path / "run.json").write_text(json.dumps(values))
    assert read_record(tmp_path).gflops == 27


def test_a_running_record_whose_process_is_gone_reads_as_killed(
    tmp_path: Path, record: RunRecord
) -> None:
    write_record(tmp_path, record)
    assert read_record(tmp_path).state == "running"  # no lock there: nobody can tell
    with hold(tmp_path):
        assert read_record(tmp_path).state == "running"
    assert read_record(tmp_path).state == "killed"
    write_record(tmp_path, dataclasses.replace(record, state="finished"))
    assert read_record(tmp_path).state == "finished"


def test_a_record_of_an_older_version_can_be_read(tmp_path: Path, record: RunRecord) -> None:
    values = dataclasses.asdict(record)
    newer = ("accumulate", "processes", "deterministic", "cpu", "host", "resumed")
    for key in (*newer, "stopped_early", "labels_cut", "repairs"):
        del values[key]
    (tmp_path / "run.json").write_text(json.dumps(values))
    assert read_record(tmp_path) == record

import dataclasses
import json
from pathlib import Path
from typing import Any

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
        device="cuda NVIDIA H100",
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


def written(folder: Path, record: RunRecord, **changes: Any) -> dict[str, Any]:
    """Write the record with some keys of its file changed, ... for one to be left out."""
    values = {**dataclasses.asdict(record), **changes}
    values = {key: value for key, value in values.items() if value is not ...}
    (folder / "run.json").write_text(json.dumps(values))
    return values


def test_a_record_comes_back_as_it_was(tmp_path: Path, record: RunRecord) -> None:
    write_record(tmp_path / "new", record)
    assert read_record(tmp_path / "new") == record
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["run.json"]


def test_a_record_of_schema_1_is_read(tmp_path: Path, record: RunRecord) -> None:
    """It called the metrics figures, said which of the GPUs it was, and lacked newer fields."""
    newer = ("accumulate", "processes", "deterministic", "cpu", "host", "resumed")
    newer += ("stopped_early", "labels_cut", "repairs", "optimised_parameters")
    old: dict[str, Any] = {"schema": 1, "figures": record.metrics, "metrics": ...}
    old |= {"device": "cuda:1 NVIDIA H100", **dict.fromkeys(newer, ...)}
    written(tmp_path, record, **old)
    assert read_record(tmp_path) == record
    written(tmp_path, record, **old | {"device": ...})
    with pytest.raises(InputError, match="missing required field `device`"):
        read_record(tmp_path)


def test_a_missing_folder_and_a_folder_without_a_record(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing: no such folder"):
        read_record(tmp_path / "nothing")
    with pytest.raises(InputError, match=r"not a run folder, it has no run\.json"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"schema": 1, "name"', "cannot be read as JSON"),
        ("[1, 2]", "not a run record: Expected `object`, got `array`"),
        ('{"schema": 3}', "schema 3; this version reads schemas 1 and 2"),
        ('{"name": "a"}', "schema None; this version"),
        ('{"schema": 2, "name": "a"}', "missing required field"),
    ],
)
def test_a_broken_record_is_refused_in_one_line(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(InputError) as caught:
        read_record(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path / 'run.json'}: ")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"metrics": None}, r"not a run record: .*\$\.metrics"),
        ({"attention": {"a": 1}}, r"not a run record: .*\$\.attention"),
        ({"attention": {"dark3": {}}}, "missing required field `block`"),
        ({"attention": {"dark3": {"block": []}}}, "Expected `str`, got `array`"),
        ({"attention": {"dark3": {"block": "se", "parameters": {"a": 1}}}}, "Expected `array`"),
        ({"batch_size": "8"}, r"\$\.batch_size"),
        ({"colour": "red"}, "unknown field colour"),
        ({"figures": {}}, "unknown field figures"),
    ],
)
def test_a_wrong_field_is_named(
    tmp_path: Path, record: RunRecord, change: dict[str, Any], says: str
) -> None:
    written(tmp_path, record, **change)
    with pytest.raises(InputError, match=says):
        read_record(tmp_path)


def test_a_whole_number_stands_for_a_float(tmp_path: Path, record: RunRecord) -> None:
    written(tmp_path, record, gflops=27, seconds=0)
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

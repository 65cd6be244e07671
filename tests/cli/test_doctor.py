"""The doctor's command: which data, exit codes and files; its findings are tested with the data."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yolox_attn.cli import doctor

BY_FOLDER = ["--data", "data"]
BY_EXP = ["-n", "yolox-nano", "data_dir", "data"]
Examine = Callable[..., tuple[int, str]]


@pytest.fixture
def data(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the drawn set that may be spoilt, in the folder that the command is called in."""
    monkeypatch.chdir(tmp_path)
    return Path(shutil.copytree(drawn, tmp_path / "data"))


@pytest.fixture
def examine(capsys: pytest.CaptureFixture[str]) -> Examine:
    """A function that calls the command and returns its exit code and what it printed."""

    def call(*words: object) -> tuple[int, str]:
        code = doctor.main([str(word) for word in words])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return call


def spoil(data: Path, change: Callable[[dict[str, Any]], Any], split: str = "train") -> None:
    file = data / "annotations" / f"instances_{split}2017.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


@pytest.mark.parametrize("words", [[], ["--quick"], ["-n", "yolox-nano"]])
def test_sound_data_are_0(data: Path, examine: Examine, words: list[str]) -> None:
    code, printed = examine("--data", data, *words)
    assert code == 0
    assert "\n0 kinds of error" in printed
    assert ("written" in printed) == ("--quick" not in words)


def test_errors_are_1_and_the_report_is_written(
    data: Path, tmp_path: Path, examine: Examine
) -> None:
    (data / "train2017" / "000003.png").write_bytes(b"no image")
    code, printed = examine("--data", data, "-o", tmp_path / "out")
    assert code == 1
    assert "error    train: images that cannot be read: 1 (000003.png: no image)" in printed
    written = json.loads((tmp_path / "out" / "doctor.json").read_text())
    assert written["findings"][0]["code"] == "unreadable"
    assert "000003.png" in (tmp_path / "out" / "doctor.md").read_text()
    assert not (tmp_path / "YOLOX_outputs").exists()


def test_warnings_alone_are_0_and_the_full_form_writes_by_itself(
    data: Path, tmp_path: Path, examine: Examine
) -> None:
    shutil.copy(data / "train2017" / "000001.png", data / "val2017" / "000001.png")
    code, printed = examine("--data", data)
    assert code == 0
    assert "warning  both: images of val that are in train too" in printed
    assert "examined train: 12 images, 89 boxes, 5 classes; every image read" in printed
    files = [f"YOLOX_outputs/doctor/data/doctor.{ending}" for ending in ("json", "md")]
    assert printed.splitlines()[-1] == f"written: {', '.join(files)}"
    assert json.loads((tmp_path / files[0]).read_text())["examined"]["val"]["read"] == 5
    assert "- examined val: 5 images" in (tmp_path / files[1]).read_text()


def break_much(content: dict[str, Any]) -> None:
    content["annotations"][0].update(category_id=77)
    content["annotations"].append(dict(content["annotations"][1]))
    content["annotations"][-2].update(bbox=[5, 5, 0, 10])
    content["images"][1].update(width=50)
    del content["images"][2]["file_name"]


@pytest.mark.parametrize("words", [BY_FOLDER, BY_EXP])
def test_every_mistake_of_both_splits_is_named(
    data: Path, examine: Examine, words: list[str]
) -> None:
    for split in ("train", "val"):
        spoil(data, break_much, split)
    (data / "val2017" / "000001.png").unlink()
    code, printed = examine(*words)
    assert code == 1
    errors = [line for line in printed.splitlines() if line.startswith("error")]
    for split in ("train", "val"):
        for part in (
            "annotations of no listed category: 1 (annotation 1: category 77)",
            "annotations that share their id: 2 (2)",
            "a name made from the id",
            "images of another size than the json says",
        ):
            assert any(
                line.startswith(f"error    {split}: ") and part in line for line in errors
            ), (split, part, errors)
        assert f"{split}: boxes of no width or height" in printed
    assert "000001.png" in next(line for line in errors if line.startswith("error    val: images"))
    assert not any(line.endswith(": 1") for line in errors)


def test_a_split_that_cannot_be_read_is_a_finding_and_does_not_hide_the_other(
    data: Path, examine: Examine
) -> None:
    spoil(data, lambda content: content.update(images=[]))
    (data / "val2017" / "000001.png").write_bytes(b"")
    code, printed = examine(*BY_EXP)
    assert code == 1
    assert "error    train: the json lists no images\n" in printed
    assert "000001.png: empty" in printed


@pytest.mark.parametrize(
    ("lost", "finding"),
    [
        ("annotations", "error    both: no data set in "),
        ("annotations/instances_val2017.json", "error    val: n"),
    ],
)
def test_annotations_that_are_not_there_are_a_finding(
    data: Path, examine: Examine, lost: str, finding: str
) -> None:
    (data / lost).rename("lost")
    code, printed = examine("--data", data)
    assert code == 1
    assert finding in printed


def test_a_broken_list_of_categories_is_reported_once(data: Path, examine: Examine) -> None:
    spoil(data, lambda c: c["categories"][1].update(name=c["categories"][0]["name"]))
    code, printed = examine(*BY_EXP)
    assert code == 1
    assert "1 kind of error" in printed
    assert "train: categories that share their name: 2 (disc)" in printed
    assert "classes without an object" not in printed


@pytest.mark.parametrize("words", [BY_FOLDER, [*BY_EXP[:2], "--quick", *BY_EXP[2:]]])
def test_a_test_split_is_examined_too(data: Path, examine: Examine, words: list[str]) -> None:
    shutil.copytree(data / "train2017", data / "test2017")
    folder = data / "annotations"
    shutil.copy(folder / "instances_train2017.json", folder / "instances_test2017.json")
    (data / "test2017" / "000002.png").write_bytes(b"")
    code, printed = examine(*words)
    assert code == 1
    assert "examined test: 12 images" in printed
    assert "test: images that cannot be read" in printed
    assert "warning  test: images of test that are in train too" in printed


def test_a_name_that_leaves_the_folder_or_the_line_is_named_in_one(
    data: Path, examine: Examine
) -> None:
    spoil(data, lambda c: c["images"][0].update(file_name="../a\nb\x1b[31m\0.png"))
    code, printed = examine("--data", data)
    assert code == 1
    assert all(line.isprintable() for line in printed.splitlines())
    assert "a\\nb\\x1b[31m\\x00.png" in printed
    assert "file names that leave the image folder" in printed


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "which data? give --data DIR"),
        (["--data", "nowhere"], "no data folder nowhere"),
        (["-n", "yolox-nano", "data_dir", "nowhere"], "no data folder nowhere"),
        (["-n", "yolox-giant"], "-n yolox-giant: unknown"),
        ([*BY_FOLDER, "--quick", "-o", __file__], f"cannot write the report to {__file__}"),
    ],
)
def test_wrong_flags_are_2_in_one_line(
    data: Path, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor.main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {message}")
    assert error.count("\n") == 1

import json
import shutil

import pytest

from yolox_attn.cli import doctor


@pytest.fixture
def data(drawn, tmp_path):
    """A copy of the drawn set that may be spoilt."""
    return shutil.copytree(drawn, tmp_path / "data")


def spoil(data, function, split="train"):
    file = data / "annotations" / f"instances_{split}2017.json"
    content = json.loads(file.read_text())
    function(content)
    file.write_text(json.dumps(content))


def tell(capsys, *words):
    code = doctor.main([str(word) for word in words])
    return code, capsys.readouterr()


@pytest.mark.parametrize("words", [[], ["--quick"], ["-n", "yolox-nano"]])
def test_sound_data_are_0(data, capsys, words):
    code, printed = tell(capsys, "--data", data, *words)
    assert code == 0
    assert printed.out.splitlines()[-1].startswith("0 kinds of error")


def test_errors_are_1_and_the_report_is_written(data, tmp_path, capsys):
    (data / "train2017" / "000003.png").write_bytes(b"no image")
    code, printed = tell(capsys, "--data", data, "-o", tmp_path / "out")
    assert code == 1
    assert "error    train: images that cannot be read: 1 (000003.png: no image)" in printed.out
    written = json.loads((tmp_path / "out" / "doctor.json").read_text())
    assert written["findings"][0]["code"] == "unreadable"
    assert "000003.png" in (tmp_path / "out" / "doctor.md").read_text()


def test_warnings_alone_are_0(data, capsys):
    shutil.copy(data / "train2017" / "000001.png", data / "val2017" / "000001.png")
    code, printed = tell(capsys, "--data", data)
    assert code == 0
    assert "warning  both: images of val that are in train too" in printed.out


def test_a_folder_that_cannot_be_read_is_a_finding(data, capsys):
    spoil(data, lambda c: c["images"][0].update(file_name="../../secret.png"))
    code, printed = tell(capsys, "--data", data)
    assert code == 1
    assert "file names that leave the image folder" in printed.out
    assert "Traceback" not in printed.err


def test_both_splits_of_an_experiment_are_told(data, capsys):
    for split in ("train", "val"):
        spoil(data, lambda c: c.update(images=[]), split)
    code, printed = tell(capsys, "-n", "yolox-nano", "data_dir", data)
    assert code == 1
    assert [line.split()[1] for line in printed.out.splitlines()[:2]] == ["train:", "val:"]


def test_one_broken_split_does_not_hide_the_other_s_faults(data, capsys):
    spoil(data, lambda c: c.update(images=[]))
    (data / "val2017" / "000001.png").write_bytes(b"")
    code, printed = tell(capsys, "-n", "yolox-nano", "data_dir", data)
    assert code == 1
    assert "lists no images" in printed.out
    assert "000001.png: empty" in printed.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "which data? give --data DIR"),
        (["--data", "nowhere"], "no data folder nowhere"),
        (["-n", "yolox-nano", "data_dir", "nowhere"], "no data folder nowhere"),
        (["-n", "yolox-giant"], "-n yolox-giant: unknown"),
    ],
)
def test_wrong_flags_are_2_in_one_line(words, told, capsys):
    code, printed = tell(capsys, *words)
    assert code == 2
    assert printed.err.startswith(f"error: {told}")
    assert printed.err.count("\n") == 1


def test_a_report_that_cannot_be_written_is_2(data, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    code, printed = tell(capsys, "--data", data, "--quick", "-o", tmp_path / "file")
    assert code == 2
    assert "cannot write the report" in printed.err

import json
import shutil

import pytest

from yolox_attn.cli import doctor


@pytest.fixture
def data(drawn, tmp_path, monkeypatch):
    """A copy of the drawn set that may be spoilt; the report goes beside it."""
    monkeypatch.chdir(tmp_path)
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
    assert "\n0 kinds of error" in printed.out


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
    assert "error    train: the json lists no images\n" in printed.out


def break_much(content):
    content["annotations"][0].update(category_id=77)
    content["annotations"].append(dict(content["annotations"][1]))
    content["annotations"][-2].update(bbox=[5, 5, 0, 10])
    content["images"][1].update(width=50)
    del content["images"][2]["file_name"]


@pytest.mark.parametrize("words", [["--data", "data"], ["-n", "yolox-nano", "data_dir", "data"]])
def test_every_mistake_of_both_splits_is_told(data, capsys, words):
    for split in ("train", "val"):
        spoil(data, break_much, split)
    (data / "val2017" / "000001.png").unlink()
    code, printed = tell(capsys, *words)
    assert code == 1
    errors = [line for line in printed.out.splitlines() if line.startswith("error")]
    for split in ("train", "val"):
        for part in (
            "annotations of no listed category: 1 (annotation 1: category 77)",
            "annotations that share their id: 2 (2)",
            "a name made from the id",
            "images of another size than the json says",
        ):
            assert [each for each in errors if each.startswith(f"error    {split}: ")
                    and part in each], (split, part, errors)  # fmt: skip
    assert "train: boxes of no width or height" in printed.out
    assert "val: boxes of no width or height" in printed.out
    assert "000001.png" in next(line for line in errors if line.startswith("error    val: images"))
    assert not any(line.endswith(": 1") for line in errors)


def test_a_broken_list_of_categories_is_told_once(data, capsys):
    spoil(data, lambda c: c["categories"][1].update(name=c["categories"][0]["name"]))
    code, printed = tell(capsys, "-n", "yolox-nano", "data_dir", data)
    assert code == 1
    assert "1 kind of error" in printed.out
    assert "train: categories that share their name: 2 (disc)" in printed.out
    assert "classes without an object" not in printed.out


def test_the_full_form_says_what_it_examined_and_writes_by_itself(data, tmp_path, capsys):
    _, printed = tell(capsys, "--data", data)
    assert "examined train: 12 images, 89 boxes, 5 classes; every image read" in printed.out
    files = [f"YOLOX_outputs/doctor/data/doctor.{ending}" for ending in ("json", "md")]
    assert printed.out.splitlines()[-1] == f"written: {', '.join(files)}"
    written = json.loads((tmp_path / files[0]).read_text())
    assert written["examined"]["val"]["read"] == 5
    assert "- examined val: 5 images" in (tmp_path / files[1]).read_text()


def test_the_quick_form_writes_only_where_it_is_told(data, tmp_path, capsys):
    _, printed = tell(capsys, "--data", data, "--quick")
    assert "written" not in printed.out
    assert not (tmp_path / "YOLOX_outputs").exists()


@pytest.mark.parametrize("words", [["--data", "data"], ["-n", "yolox-nano", "data_dir", "data"]])
@pytest.mark.parametrize("form", [[], ["--quick"]])
def test_a_test_split_is_examined_too(data, capsys, words, form):
    shutil.copytree(data / "train2017", data / "test2017")
    folder = data / "annotations"
    shutil.copy(folder / "instances_train2017.json", folder / "instances_test2017.json")
    (data / "test2017" / "000002.png").write_bytes(b"")
    code, printed = tell(capsys, *form, *words)
    assert code == 1
    assert "examined test: 12 images" in printed.out
    assert "test: images that cannot be read" in printed.out
    assert "warning  test: images of test that are in train too" in printed.out


def test_a_name_of_many_lines_is_told_in_one(data, capsys):
    spoil(data, lambda c: c["images"][0].update(file_name="a\nb\x1b[31m\0.png"))
    code, printed = tell(capsys, "--data", data)
    assert code == 1
    assert all(line.isprintable() for line in printed.out.splitlines())
    assert "a\\nb\\x1b[31m\\x00.png" in printed.out


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

"""What the classes are called: by the run's annotations, its metrics, COCO, or by number."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from short_run import short_run

from yolox_attn.core.class_names import (
    check_classes,
    class_names,
    is_of_other_classes,
    names_of_run,
    trained_names,
)
from yolox_attn.errors import InputError
from yolox_attn.runs import RunRecord, read_record

DRAWN = ["disc", "ring", "square", "grate", "star"]


@pytest.fixture
def record(drawn: Path, tmp_path: Path) -> RunRecord:
    return read_record(short_run(drawn, tmp_path))


def test_a_run_says_what_they_are_called(tiny: Callable, record: RunRecord) -> None:
    assert record.data["class_names"] == DRAWN
    record.data["class_names"] = [*"abcde"]
    assert class_names(tiny(), record) == [*"abcde"]


def test_of_an_older_run_its_annotations_say_it(tiny: Callable, record: RunRecord) -> None:
    del record.data["class_names"]
    record.class_ap = {}
    assert class_names(tiny(), record) == DRAWN


def test_other_annotations_at_their_place_do_not(tiny: Callable, record: RunRecord) -> None:
    del record.data["class_names"]
    record.data["val_sha256"] = "0" * 64
    record.class_ap = dict.fromkeys("vwxyz", 0.5)
    assert class_names(tiny(), record) == [*"vwxyz"]
    record.data["dir"] = "/nowhere"
    assert class_names(tiny(), record) == [*"vwxyz"]


def test_without_a_run_the_data_name_them(tiny: Callable) -> None:
    assert class_names(tiny()) == DRAWN


def test_without_either_they_are_coco_s_or_numbers(tiny: Callable) -> None:
    exp = tiny(data_dir=None)
    assert class_names(exp) == [f"class {number}" for number in range(5)]
    exp.num_classes = 80
    assert class_names(exp)[:2] == ["person", "bicycle"]


def renamed(drawn: Path, folder: Path, names: list[str]) -> Path:
    """The annotations of a set whose classes are called so."""
    content = json.loads((drawn / "annotations/instances_val2017.json").read_text())
    for category, name in zip(content["categories"], names, strict=True):
        category["name"] = name
    file = folder / "annotations/instances_val2017.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps(content))
    return file


@pytest.mark.parametrize("names", [DRAWN, [name.title() for name in DRAWN]])
def test_the_same_classes_judge(drawn: Path, tmp_path: Path, names: list[str]) -> None:
    assert check_classes(DRAWN, renamed(drawn, tmp_path, names)) is None


def test_the_same_classes_in_another_order_do_not(drawn: Path, tmp_path: Path) -> None:
    file = renamed(drawn, tmp_path, ["disc", "square", "ring", "grate", "star"])
    words = "class 1 is 'square', the detector's is 'ring': its classes have another order; .*"
    with pytest.raises(InputError, match=words + "disc, ring, square, grate, star"):
        check_classes(DRAWN, file)
    file = renamed(drawn, tmp_path / "and renamed", ["disc", "square", "hoop", "grate", "star"])
    with pytest.raises(InputError, match=words):
        check_classes(DRAWN, file)


def test_two_classes_of_one_name_but_for_capitals_are_their_own(
    drawn: Path, tmp_path: Path
) -> None:
    names = ["WBC", "wbc", *DRAWN[2:]]
    assert check_classes(names, renamed(drawn, tmp_path, names)) is None


def test_other_names_are_a_warning(drawn: Path, tmp_path: Path) -> None:
    file = renamed(drawn, tmp_path, [*DRAWN[:4], "sun"])
    remark = check_classes(DRAWN, file)
    assert remark == (
        f"{file}: class 4 is 'sun', the detector's is 'star': boxes are judged by the places of "
        "their classes"
    )
    assert check_classes(DRAWN[1:4], file) is None  # whose number does not fit: said elsewhere


@pytest.mark.parametrize(
    ("names", "other"),
    [
        (DRAWN, False),
        (DRAWN[::-1], True),
        ([*DRAWN[:3], "hash", "sun"], False),  # renamed
        ([*DRAWN[:3], "star", "sun"], True),
        ([*DRAWN[:2], *"abc"], True),
    ],
)
def test_a_checkpoint_lies_in_a_run_of_the_same_classes_or_of_others(
    tiny: Callable, drawn: Path, tmp_path: Path, names: list[str], *, other: bool
) -> None:
    folder = short_run(drawn, tmp_path)
    renamed(drawn, tmp_path / "data", names)
    exp = tiny(data_dir=str(tmp_path / "data"))
    assert is_of_other_classes(folder / "best_ckpt.pth", exp) is other
    exp.val_ann = None
    assert not is_of_other_classes(folder / "best_ckpt.pth", exp)
    (folder / "run.json").write_text("{}")
    assert names_of_run(folder / "best_ckpt.pth") is None
    (folder / "run.json").unlink()
    assert names_of_run(folder / "best_ckpt.pth") is None


@pytest.mark.parametrize("names", [5, True, "disc", {"0": "disc"}, [None, 1], []])
def test_names_of_an_odd_kind_are_none(record: RunRecord, names: object) -> None:
    record.data |= {"class_names": names, "val_ann": "x" * 5000}
    assert trained_names(record) == DRAWN  # as its metrics are called

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from planned import with_test_split, write_exp, write_groups

from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp, use_data
from yolox_attn.runs import file_hash
from yolox_attn.study.sources import DataCheck, check_data

TEST = "annotations/instances_test2017.json"
TRAIN = "annotations/instances_train2017.json"
VAL = "annotations/instances_val2017.json"
OWN_EVALUATOR = """
    def get_evaluator(self, *args, **options):
        from types import SimpleNamespace
        images = type("Own", (), {"__len__": lambda self: 3})()
        return SimpleNamespace(dataloader=SimpleNamespace(dataset=images))
"""


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    return with_test_split(drawn, tmp_path / "data")


def look(data: Path, split: str = "val", groups: str | None = None) -> DataCheck:
    exp = load_exp(write_exp(data, "base"))
    use_data(exp, data)
    return check_data(exp, batch_size=4, split=split, groups=groups)


def test_each_split_can_judge(data: Path) -> None:
    hashes = {str((data / each).resolve()): file_hash(data / each) for each in (TRAIN, VAL)}
    assert look(data) == DataCheck((data / VAL).resolve(), 5, None, None, hashes, ())
    assert look(data, "test").truth == (data / TEST).resolve()
    assert look(data, "test").hashes == hashes


def test_groups_by_key_and_by_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_key = look(data, "test", groups="scene")
    assert (by_key.groups, by_key.group_count) == ("scene", 3)
    table = write_groups(data, tmp_path / "groups.csv")
    monkeypatch.chdir(tmp_path)
    by_file = look(data, groups="groups.csv")
    assert (by_file.groups, by_file.group_count) == (str(table.resolve()), 2)


def test_what_the_doctor_warns_of_is_a_remark_also_of_the_test_split(data: Path) -> None:
    """A test image that is a training image judges nothing."""
    train = sorted((data / "train2017").iterdir())[0]
    shutil.copyfile(train, sorted((data / "test2017").iterdir())[0])
    (remark,) = look(data, "test").remarks
    assert remark.startswith("data doctor: ")
    assert train.name in remark
    assert look(data).remarks == ()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("video", "5 images have no 'video' in the truth"),
        ("nowhere.csv", "nowhere.csv: No such file"),
        ("width", "the key 'width' puts all images into one group"),
    ],
)
def test_groups_that_are_none_are_refused(data: Path, groups: str, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        look(data, groups=groups)


def lose_an_image(data: Path) -> None:
    next(iter((data / "train2017").iterdir())).unlink()


def lose_annotations(data: Path) -> None:
    (data / VAL).unlink()


def lose_objects(data: Path) -> None:
    content = json.loads((data / TEST).read_text())
    (data / TEST).write_text(json.dumps({**content, "annotations": []}))


def lose_the_test_split(data: Path) -> None:
    (data / TEST).unlink()


def spoil_a_picture(data: Path) -> None:
    next(iter((data / "val2017").iterdir())).write_bytes(b"no image")


@pytest.mark.parametrize(
    ("spoil", "split", "message"),
    [
        (lose_an_image, "val", "1 of 12 images of .* are not in"),
        (lose_annotations, "val", "val"),
        (spoil_a_picture, "val", "cannot be"),
        (lose_objects, "test", "instances_test2017.json has no annotations: nothing to judge by"),
        (lose_the_test_split, "test", "instances_test2017.json"),
    ],
)
def test_data_that_are_not_whole_are_refused(
    data: Path, spoil: Callable[[Path], None], split: str, message: str
) -> None:
    spoil(data)
    with pytest.raises(InputError, match=message) as refused:
        look(data, split)
    assert "\n" not in str(refused.value)


def test_data_that_are_no_coco_set_cannot_judge(data: Path) -> None:
    exp = load_exp(write_exp(data, "base", methods=OWN_EVALUATOR))
    use_data(exp, data)
    with pytest.raises(InputError, match="the val images come from Own; a study is judged by COCO"):
        check_data(exp, batch_size=4, split="val", groups=None)

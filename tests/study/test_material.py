import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from planned import with_test_split, write_exp

from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp, use_data
from yolox_attn.study.sources import Material, check_material

TEST = "annotations/instances_test2017.json"
TRAIN = "annotations/instances_train2017.json"
VAL = "annotations/instances_val2017.json"


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    return with_test_split(drawn, tmp_path / "data")


def look(data: Path, split: str = "val", groups: str | None = None) -> Material:
    exp = load_exp(write_exp(data, "base"))
    use_data(exp, data)
    return check_material(exp, batch_size=4, split=split, groups=groups)


def test_each_split_can_judge(data: Path) -> None:
    train_and_val = ((data / TRAIN).resolve(), (data / VAL).resolve())
    assert look(data) == Material((data / VAL).resolve(), 5, None, None, (), train_and_val)
    assert look(data, "test").truth == (data / TEST).resolve()
    assert look(data, "test").annotations == train_and_val


def test_groups_by_key_and_by_file(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = look(data, "test", groups="scene")
    assert (found.groups, found.units) == ("scene", 3)
    images = json.loads((data / VAL).read_text())["images"]
    rows = [f"{image['file_name']},{number % 2}" for number, image in enumerate(images)]
    table = tmp_path / "groups.csv"
    table.write_text("\n".join(["image,group", *rows]))
    monkeypatch.chdir(tmp_path)
    found = look(data, groups="groups.csv")
    assert (found.groups, found.units) == (str(table.resolve()), 2)


def test_what_the_doctor_warns_of_is_told_also_of_the_test_split(data: Path) -> None:
    """A test image that is a training image judges nothing."""
    train = sorted((data / "train2017").iterdir())[0]
    shutil.copyfile(train, sorted((data / "test2017").iterdir())[0])
    (told,) = look(data, "test").remarks
    assert told.startswith("data doctor: ")
    assert train.name in told
    assert look(data).remarks == ()


@pytest.mark.parametrize(
    ("groups", "told"),
    [
        ("video", "5 images have no 'video' in the truth"),
        ("nowhere.csv", "nowhere.csv: No such file"),
        ("width", "the key 'width' puts all images into one group"),
    ],
)
def test_groups_that_are_none_are_refused(data: Path, groups: str, told: str) -> None:
    with pytest.raises(InputError, match=re.escape(told)):
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
    ("spoil", "split", "told"),
    [
        (lose_an_image, "val", "1 of 12 images of .* are not in"),
        (lose_annotations, "val", "val"),
        (spoil_a_picture, "val", "cannot be"),
        (lose_objects, "test", "instances_test2017.json has no annotations: nothing to judge by"),
        (lose_the_test_split, "test", "instances_test2017.json"),
    ],
)
def test_data_that_are_not_whole_are_refused(
    data: Path, spoil: Callable[[Path], None], split: str, told: str
) -> None:
    spoil(data)
    with pytest.raises(InputError, match=told) as refused:
        look(data, split)
    assert "\n" not in str(refused.value)


def test_data_that_are_no_coco_set_cannot_judge(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exp = load_exp(write_exp(data, "base"))
    use_data(exp, data)
    loader = exp.get_eval_loader(4, False)
    own = type("Own", (), {"__len__": lambda self: 3, "coco": loader.dataset.coco})()
    monkeypatch.setattr("yolox_attn.exp.base.DataLoader", lambda *a, **k: loader)
    object.__setattr__(loader, "dataset", own)
    with pytest.raises(InputError, match="the val images come from Own; a study is judged by COCO"):
        check_material(exp, batch_size=4, split="val", groups=None)

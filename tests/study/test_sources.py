import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from planned import with_test_split, write_exp, write_groups

from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp, use_data
from yolox_attn.runs import file_hash
from yolox_attn.study.sources import DataCheck, check_data, user_sources

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


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The loaded modules, which are as they were after the test, and so is the search path."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    return sys.modules


def test_what_an_exp_imports_and_nobody_installed_is_the_users_own(
    tmp_path: Path, modules: dict[str, ModuleType]
) -> None:
    neighbour = tmp_path / "my_neighbour_block.py"
    neighbour.write_text("width = 3\n")
    exp = write_exp(tmp_path, "mine", "import my_neighbour_block")
    load_exp(exp)
    installed = tmp_path / "site-packages/installed_for_one_user.py"
    installed.parent.mkdir()
    installed.touch()
    sys.path.insert(0, str(installed.parent))
    importlib.import_module("installed_for_one_user")
    sources = user_sources()
    assert sources[str(neighbour.resolve())] == file_hash(neighbour)
    assert list(sources) == sorted(sources)
    for path in (exp, str(installed)):  # of an Exp file a plan has the sha256 elsewhere
        assert path not in sources
    for name in ("json", "torch", "yolox_attn.study.sources"):
        assert str(Path(modules[name].__file__ or "")) not in sources


def test_the_program_and_what_is_no_file_are_left_out(
    tmp_path: Path, modules: dict[str, ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("program.py", "_ops.py", "mine.py"):
        (tmp_path / name).touch()
    program = ModuleType("__main__")
    program.__file__ = str(tmp_path / "program.py")
    modules |= {"__main__": program, "__mp_main__": program}
    files = (None, "_ops.py", str(tmp_path / "gone.py"), str(tmp_path), str(tmp_path / "mine.py"))
    for number, file in enumerate(files):
        modules[f"odd{number}"] = module = ModuleType("odd")
        module.__file__ = file
    found = [path for path in user_sources() if Path(path).is_relative_to(tmp_path.resolve())]
    assert found == [str((tmp_path / "mine.py").resolve())]

import pickle
import shutil
from pathlib import Path

import pytest
from yolox.exp.build import get_exp_by_file

from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, load_exp, use_data

SOURCE = """
from yolox_attn.exp import SmallExp
class Exp(SmallExp):
    def __init__(self):
        super().__init__()
        self.attention = {attention!r}
"""


def exp_file(folder: Path, attention: str = "eca", name: str = "mine.py") -> str:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(SOURCE.format(attention=attention))
    return str(folder / name)


def test_the_name_is_the_files(tmp_path: Path) -> None:
    assert load_exp(exp_file(tmp_path, name="yolox_s_own.py")).exp_name == "yolox_s_own"


def test_yoloxs_loader_gives_the_same_name(tmp_path: Path) -> None:
    assert get_exp_by_file(exp_file(tmp_path, name="unique_name_7.py")).exp_name == "unique_name_7"


def test_two_files_of_one_basename_are_two_experiments(tmp_path: Path) -> None:
    first = load_exp(exp_file(tmp_path / "a", "eca"))
    second = load_exp(exp_file(tmp_path / "b", "se"))
    assert (first.attention, second.attention) == ("eca", "se")
    copies = [pickle.loads(pickle.dumps(exp)) for exp in (first, second)]
    assert [copy.attention for copy in copies] == ["eca", "se"]


def test_names_that_hide_modules_or_hold_dots_load(tmp_path: Path) -> None:
    assert load_exp(exp_file(tmp_path, name="random.py")).attention == "eca"
    assert load_exp(exp_file(tmp_path, name="yolox.v2.py")).attention == "eca"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import nonsense_xyz", "line 1: ModuleNotFoundError: No module named 'nonsense_xyz'"),
        ("x = 1\nclass Exp(:\n", "line 2: SyntaxError"),
        ("x = 1\n\ny = x / 0", "line 3: ZeroDivisionError"),
        ("x = 1", "defines no class Exp"),
        ("from yolox.exp import Exp", "change its base class to yolox_attn.exp.AttentionExp"),
    ],
)
def test_a_broken_file_shows_its_own_error(tmp_path: Path, source: str, says: str) -> None:
    (tmp_path / "broken.py").write_text(source)
    with pytest.raises(InputError, match=says):
        load_exp(str(tmp_path / "broken.py"))


def test_a_missing_file_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Exp file"):
        load_exp(str(tmp_path / "nowhere.py"))
    with pytest.raises(InputError, match="give an Exp file, or a name"):
        load_exp()


def test_names_resolve_every_size_and_block() -> None:
    exp = load_exp(name="yolox-m-cam")
    assert (exp.depth, exp.width, exp.attention, exp.exp_name) == (0.67, 0.75, "cam", "yolox_m_cam")
    assert load_exp(name="yolox_nano").attention == "none"


def test_names_resolve_the_controls() -> None:
    exp = load_exp(name="yolox-nano-placebo")
    assert (exp.attention, exp.exp_name) == ("placebo", "yolox_nano_placebo")
    exp = load_exp(name="yolox_nano_plain:cam")
    assert (exp.attention, exp.exp_name) == ("plain", "yolox_nano_plain_cam")
    assert exp.attention_options == {"like": "cam"}
    assert load_exp(name="yolox-nano-cam").attention_options == {}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("yolox-q-cam", "SIZE: nano, tiny, s, m, l, x"),
        ("yolov3", "SIZE"),
        ("yolox", "SIZE"),
        ("yolox-s-camm", "unknown block; known: acmix, .*; controls: placebo, plain"),
        ("yolox-s-cam:se", "unknown block"),
        ("yolox-s-placebo:", "unknown block"),
        ("yolox-s-cam-eca", "SIZE"),
    ],
)
def test_other_names_are_refused_with_the_choices(name: str, says: str) -> None:
    with pytest.raises(InputError, match=says):
        load_exp(name=name)


def test_classes_files_and_folders_come_from_the_data(drawn: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(drawn, data)
    exp = AttentionExp()
    use_data(exp, data)
    assert (exp.num_classes, exp.data_dir) == (5, str(data))
    assert (exp.train_ann, exp.val_ann) == ("instances_train2017.json", "instances_val2017.json")
    assert (exp.train_name, exp.val_name) == ("train2017", "val2017")
    assert (exp.test_ann, exp.test_name) == ("instances_test2017.json", "test2017")  # YOLOX's
    shutil.copy(data / "annotations/instances_val2017.json", data / "annotations/test.json")
    (data / "val2017").rename(data / "images_test")
    (data / "val2017").symlink_to(data / "images_test")
    use_data(exp, data)
    assert (exp.test_ann, exp.test_name) == ("test.json", "images_test")

import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from planned import with_test_split, write_exp

from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, apply_overrides, load_exp, use_data
from yolox_attn.runs.codec import file_hash
from yolox_attn.study.sources import DataCheck, check_data, planned_variants, user_sources


def test_blocks_names_and_files_in_the_order_of_the_command(tmp_path: Path) -> None:
    mine = write_exp(tmp_path, "mine", "self.attention = 'se'")
    found = planned_variants(
        "yolox-nano", ["cam", "yolox-nano-eca", mine], ["placebo", "plain:cam"]
    )
    assert [(each.name, each.role) for each in found] == [
        ("yolox_nano", "baseline"),
        ("yolox_nano_placebo", "control"),
        ("yolox_nano_plain_cam", "control"),
        ("yolox_nano_cam", "variant"),
        ("yolox_nano_eca", "variant"),
        ("mine", "variant"),
    ]
    assert [each.exp_name for each in found[3:]] == ["yolox-nano", "yolox-nano-eca", None]
    assert found[-1].exp_file == str(Path(mine).resolve())
    assert len(found[-1].exp_sha256 or "") == 64


def test_a_block_goes_into_ones_own_experiment(tmp_path: Path) -> None:
    base = write_exp(tmp_path, "base")
    baseline, plain, cam = planned_variants(base, ["cam"], ["plain:cam"])
    assert cam.exp_file == plain.exp_file == baseline.exp_file == str(Path(base).resolve())
    assert cam.overrides == ("attention", "cam")
    assert cam.exp_sha256 == baseline.exp_sha256
    exp: AttentionExp = load_exp(plain.exp_file)
    apply_overrides(exp, plain.overrides)
    assert (exp.attention, exp.attention_options) == ("plain", {"like": "cam"})


def test_options_of_the_baselines_own_block_are_not_those_of_another(tmp_path: Path) -> None:
    options = "self.attention_options = {'reduction': 4}"
    base = write_exp(tmp_path, "base", "self.attention = 'se'", options)
    _, cam = planned_variants(base, ["cam"], [])
    exp = load_exp(cam.exp_file)
    apply_overrides(exp, cam.overrides)
    assert (exp.attention, exp.attention_options) == ("cam", {})


def test_paths_are_whole_wherever_they_are_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_exp(tmp_path, "base")
    monkeypatch.chdir(tmp_path)
    assert planned_variants("base.py", [], [])[0].exp_file == str(tmp_path.resolve() / "base.py")


@pytest.mark.parametrize(
    ("baseline", "variants", "controls", "told"),
    [
        ("yolox-huge", ["cam"], [], "-n yolox-huge: unknown"),
        ("nowhere.py", ["cam"], [], "no Exp file"),
        ("yolox-nano", ["camm"], [], "--variants camm: no Exp file (x.py), no name"),
        ("yolox-nano", ["none"], [], "--variants none: no Exp file"),
        ("yolox-nano", ["yolox-nano-camm"], [], "-n yolox-nano-camm: unknown block"),
        ("yolox-nano", ["nowhere.py"], [], "no Exp file"),
        ("yolox-nano", ["placebo"], [], "--variants placebo: it is a control; give it by --contr"),
        ("yolox-nano", ["plain:cam"], [], "--variants plain:cam: it is a control"),
        ("yolox-nano", [], ["plain"], "--controls plain: it is placebo, or plain:BLOCK"),
        ("yolox-nano", [], ["plain:none"], "--controls plain:none: it is placebo, or plain"),
        ("yolox-nano", [], ["placebo:cam"], "--controls placebo:cam: it is placebo"),
        ("yolox-nano", [], ["cam"], "--controls cam: it is placebo, or plain:BLOCK"),
        ("yolox-nano", ["cam", "cam"], [], "yolox_nano_cam stands 2 times in the study"),
        ("yolox-nano", ["cam", "yolox-nano-cam"], [], "yolox_nano_cam stands 2 times"),
        ("yolox-nano", ["yolox-nano"], [], "yolox_nano stands 2 times"),
        ("yolox-nano", [], ["placebo", "placebo"], "yolox_nano_placebo stands 2 times"),
    ],
)
def test_what_is_no_variant_is_refused(
    baseline: str, variants: list[str], controls: list[str], told: str
) -> None:
    with pytest.raises(InputError, match=re.escape(told)) as refused:
        planned_variants(baseline, variants, controls)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["a/b", ".", ".."])
def test_a_name_that_is_no_folder_of_its_own_is_refused(tmp_path: Path, name: str) -> None:
    bad = write_exp(tmp_path, "bad", f"self.exp_name = {name!r}")
    with pytest.raises(InputError, match=f"exp_name {name!r} cannot name a folder"):
        planned_variants(bad, [], [])


def test_a_name_may_hold_dots(tmp_path: Path) -> None:
    exp = write_exp(tmp_path, "mine", "self.exp_name = '..v1.5.'")
    assert planned_variants(exp, [], [])[0].name == "..v1.5."


TEST = "annotations/instances_test2017.json"
TRAIN = "annotations/instances_train2017.json"
VAL = "annotations/instances_val2017.json"


@pytest.fixture
def data(drawn: Path, tmp_path: Path) -> Path:
    return with_test_split(drawn, tmp_path / "data")


def look(data: Path, split: str = "val", groups: str | None = None) -> DataCheck:
    exp = load_exp(write_exp(data, "base"))
    use_data(exp, data)
    return check_data(exp, batch_size=4, split=split, groups=groups)


def test_each_split_can_judge(data: Path) -> None:
    train_and_val = ((data / TRAIN).resolve(), (data / VAL).resolve())
    assert look(data) == DataCheck((data / VAL).resolve(), 5, None, None, (), train_and_val)
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
        check_data(exp, batch_size=4, split="val", groups=None)


def test_a_neighbour_that_an_exp_imports_is_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    neighbour = tmp_path / "my_neighbour_block.py"
    neighbour.write_text("width = 3\n")
    exp = write_exp(tmp_path, "mine", "import my_neighbour_block")
    load_exp(exp)
    try:
        found = user_sources()
    finally:
        del sys.modules["my_neighbour_block"]
    assert found[str(neighbour.resolve())] == file_hash(neighbour)
    assert exp not in found  # a plan has its sha256 elsewhere
    assert list(found) == sorted(found)


def test_what_is_installed_is_not_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "installed_for_one_user.py").touch()
    monkeypatch.syspath_prepend(folder)
    importlib.import_module("installed_for_one_user")
    found = user_sources()
    names = {Path(path).name for path in found}
    assert "installed_for_one_user.py" not in names
    assert str(Path(sys.modules["json"].__file__ or "")) not in found
    assert str(Path(sys.modules["torch"].__file__ or "")) not in found
    assert not any("yolox_attn/study/" in path and "tests" not in path for path in found)


def test_the_program_is_left_out_under_each_of_its_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = type(sys)("__main__")
    program.__file__ = str(tmp_path / "study.py")
    (tmp_path / "study.py").touch()
    for name in ("__main__", "__mp_main__"):
        monkeypatch.setitem(sys.modules, name, program)
    assert str((tmp_path / "study.py").resolve()) not in user_sources()


def test_a_module_whose_file_is_gone_or_never_was_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    module = type(sys)("odd")
    monkeypatch.setitem(sys.modules, "odd", module)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "_ops.py").touch()
    for file in (None, "_ops.py", str(tmp_path / "gone.py"), str(tmp_path)):
        module.__file__ = file
        assert not any(str(tmp_path) in path for path in user_sources())
    module.__file__ = str(tmp_path / "_ops.py")
    assert str((tmp_path / "_ops.py").resolve()) in user_sources()

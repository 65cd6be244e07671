import importlib
import sys
from pathlib import Path

import pytest
from planned import write_exp

from yolox_attn.exp import load_exp
from yolox_attn.runs.codec import file_hash
from yolox_attn.study.sources import user_sources


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

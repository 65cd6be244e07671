"""The user's own code behind an Exp file."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

import pytest
from planned import write_exp

from yolox_attn.core.sources import changed_sources, sources_beside, user_sources
from yolox_attn.exp import load_exp
from yolox_attn.runs import file_hash


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
    for name in ("json", "torch", "yolox_attn.core.sources"):
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


def test_what_lies_beside_the_exp_file_and_has_changed_is_found(
    tmp_path: Path, modules: dict[str, ModuleType]
) -> None:
    (tmp_path / "parts").mkdir()
    (block := tmp_path / "parts/my_block_beside.py").write_text("width = 3\n")
    exp_file = write_exp(tmp_path, "mine", "import parts.my_block_beside")
    load_exp(exp_file)
    assert "parts.my_block_beside" in modules
    found = sources_beside(Path(exp_file))
    assert found == {str(block.resolve()): file_hash(block)}
    assert sources_beside(None) == {}
    assert changed_sources(found) == []
    block.write_text("width = 4\n")
    assert changed_sources(found) == [str(block.resolve())]
    block.unlink()
    assert changed_sources(found) == [str(block.resolve())]

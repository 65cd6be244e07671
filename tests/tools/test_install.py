"""The installer's decisions; the installation itself is tested by using it."""

import importlib.util
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module, working on an empty repository in tmp_path."""
    spec = importlib.util.spec_from_file_location("install", ROOT / "tools" / "install.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    scripts = tmp_path / ".venv" / "bin"
    paths = {"ROOT": tmp_path, "VENV": tmp_path / ".venv", "SCRIPTS": scripts}
    paths |= {"PYTHON": scripts / "python", "STAMP": tmp_path / ".venv" / "stamp"}
    for name, path in paths.items():
        monkeypatch.setattr(module, name, path)
    monkeypatch.setenv("PATH", os.defpath)
    return module


@pytest.fixture
def commands(install: ModuleType, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the installer would have run, one line a command."""
    lines: list[str] = []
    monkeypatch.setattr(install, "run", lambda *words: lines.append(" ".join(map(str, words))))
    return lines


def only_has(*programs: str) -> Callable[..., str | None]:
    return lambda name, **_: f"/bin/{name}" if name in programs else None


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def refusal(action: Callable[[], object]) -> str:
    with pytest.raises(SystemExit) as ended:
        action()
    line = str(ended.value.code)
    assert line.startswith("error: ")
    assert "\n" not in line
    return line


def test_an_old_python_is_told_in_one_line() -> None:
    code = (
        "import runpy, sys; sys.version_info = (3, 9, 1); "
        f"runpy.run_path({str(ROOT / 'tools' / 'install.py')!r}, run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: yolox_attn needs Python 3.10 or newer, this is ")
    assert ended.stderr.count("\n") == 1


def test_a_missing_compiler_stops_before_anything_is_made(
    install: ModuleType,
    commands: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler -pthread")
    line = refusal(lambda: install.main([]))
    assert "needs a C++ compiler, and there is no no-such-compiler here; mend it with: " in line
    assert commands == []
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize(
    ("system", "manager", "command"),
    [
        ("Linux", "apt-get", "sudo apt-get install g++ python3-dev"),
        ("Linux", "dnf", "sudo dnf install gcc-c++ python3-devel"),
        ("Linux", "other", "your system's package manager: g++ and Python's headers"),
        ("Darwin", "apt-get", "xcode-select --install"),
    ],
)
def test_the_mending_command_is_the_platforms(
    install: ModuleType, monkeypatch: pytest.MonkeyPatch, system: str, manager: str, command: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: system)
    monkeypatch.setattr(shutil, "which", only_has(manager))
    assert refusal(install.check_compiler).endswith(f"; mend it with: {command}")


def test_a_compiler_that_cannot_compile_is_refused_with_its_reason(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path / "cxx", "echo 'Python.h: No such file' >&2; exit 1")
    monkeypatch.setenv("CXX", str(tmp_path / "cxx"))
    assert "cannot compile a Python extension (Python.h: No such file)" in refusal(
        install.check_compiler
    )


def test_no_compiler_is_needed_once_yolox_is_there(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    built = tmp_path / ".venv" / "lib" / "python3.12" / "site-packages" / "yolox-0.3.0.dist-info"
    built.mkdir(parents=True)
    install.check_compiler()


def test_a_python_without_venv_is_told(
    install: ModuleType, commands: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(shutil, "which", only_has("apt-get"))
    line = refusal(install.install_with_pip)
    assert line.endswith("mend it with: sudo apt-get install python3-venv")
    assert commands == []


def test_without_uv_pip_brings_it(
    install: ModuleType, commands: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "which", only_has())
    install.install_with_uv()
    venv = tmp_path / ".venv"
    assert commands == [
        f"{sys.executable} -m venv {venv}",
        f"{venv}/bin/python -m pip install --quiet uv>=0.9.0",
        f"{venv}/bin/uv sync --inexact --python {venv}/bin/python",
    ]


@pytest.mark.parametrize(("answer", "used"), [("uv 0.9.0 (x)", True), ("uv 0.8.24", False)])
def test_a_uv_that_is_new_enough_is_used(
    install: ModuleType,
    commands: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    used: bool,
) -> None:
    write_program(tmp_path / "path" / "uv", f"echo '{answer}'")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{os.defpath}")
    install.install_with_uv()
    assert commands[-1].startswith(f"{tmp_path}/path/uv sync" if used else f"{tmp_path}/.venv/")
    assert any("pip install" in command for command in commands) is not used


def test_a_uv_that_does_not_start_is_passed_over(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_program(tmp_path / "path" / "uv", "echo 'not for this Python' >&2; exit 127")
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}:{os.defpath}")
    assert install.find_uv() is None


def test_with_pip_yolox_comes_after_torch_and_without_its_pins(
    install: ModuleType, commands: list[str]
) -> None:
    install.install_with_pip()
    assert commands[-2].endswith("--group dev --editable .")
    assert commands[-1].endswith("pip install --no-build-isolation --no-deps --group host")


def test_up_to_date_means_finished_here_unchanged_and_working(
    install: ModuleType, tmp_path: Path
) -> None:
    python = tmp_path / ".venv" / "bin" / "python"
    write_program(python, "exit 0")
    assert not install.is_up_to_date()
    (tmp_path / ".venv" / "stamp").write_text(install.fingerprint())
    assert install.is_up_to_date()
    write_program(python, "exit 1")  # a package was removed
    assert not install.is_up_to_date()
    write_program(python, "exit 0")
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert not install.is_up_to_date()


def test_an_unfinished_installation_is_not_up_to_date(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*words: object) -> None:
        raise KeyboardInterrupt

    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "stamp").write_text("of an older pyproject.toml")
    monkeypatch.setattr(install, "run", interrupted)
    monkeypatch.setattr(install, "check_compiler", lambda: None)
    with pytest.raises(KeyboardInterrupt):
        install.main(["--pip"])
    assert not (tmp_path / ".venv" / "stamp").exists()


def test_another_active_environment_is_left_alone(
    install: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "PIP_TARGET", "UV_PYTHON"):
        monkeypatch.setenv(name, "elsewhere")
    environment = install.clean_environment()
    assert "elsewhere" not in environment.values()
    assert environment["UV_PROJECT_ENVIRONMENT"] == str(tmp_path / ".venv")


def test_a_failing_step_stops_with_its_status(
    install: ModuleType, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        install.run(sys.executable, "-c", "raise SystemExit(7)")
    assert ended.value.code == 7
    assert capfd.readouterr().err.startswith("error: this failed, see above: ")

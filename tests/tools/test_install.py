"""The installer as a process of its own, in a repository where uv, Python and compiler are stubs.

Each stub writes its name and its words into a log. The installation itself is tested by using it.
"""

import importlib.util
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tools" / "install.py"
NOTE = 'echo "$(basename "$0") $*" >> "$LOG"\n'
PYTHON = (
    NOTE + 'case "$*" in *"pip install --quiet uv"*) cp "$LOG.uv" "$(dirname "$0")/uv";; esac\n'
)
MAKE_VENV = 'for last; do :; done; mkdir -p "$last/bin"; cp "$LOG.python" "$last/bin/python"'
UV = f"""
case "$1" in
  --version) echo "uv VERSION (x)";;
  venv) {MAKE_VENV};;
esac
"""


class Repository:
    """A copy of the installer, and the stubs that it finds on its PATH."""

    def __init__(self, root: Path) -> None:
        self.root, self.log, self.path = root, root / "log", root / "path"
        self.venv = root / ".venv"
        for folder in ("tools", "path"):
            (root / folder).mkdir()
        shutil.copy(SCRIPT, root / "tools")
        (root / "pyproject.toml").write_text("[project]\n")
        for name in ("basename", "dirname", "cp", "mkdir", "env"):
            (self.path / name).symlink_to(str(shutil.which(name)))
        write_program(self.path / "cxx", "exit 0")
        write_program(root / "log.python", PYTHON)
        write_program(root / "log.uv", NOTE + UV.replace("VERSION", "0.9.0"))

    def add_uv(self, version: str = "0.9.0") -> None:
        write_program(self.path / "uv", NOTE + UV.replace("VERSION", version))

    def add_venv(self, python: str = PYTHON) -> None:
        write_program(self.venv / "bin/python", python)

    def install(
        self, *words: str, before: str = "", **environment: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run the installer, with a line of Python before it."""
        script = self.root / "tools/install.py"
        code = f"import runpy, sys; sys.argv[1:] = {[*words]}; {before}\n"
        code += f"runpy.run_path({str(script)!r}, run_name='__main__')"
        own = {"PATH": str(self.path), "LOG": str(self.log), "CXX": "cxx -pthread"}
        return subprocess.run(
            [sys.executable, "-c", code], env=own | environment, capture_output=True, text=True
        )

    def commands(self) -> list[str]:
        """What was run since the last time, the last checks apart."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        self.log.unlink(missing_ok=True)
        return [line for line in lines if "check_requirements" not in line and "--ver" not in line]


def write_program(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


def refusal(ended: "subprocess.CompletedProcess[str]") -> str:
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: ")
    assert ended.stderr.count("\n") == 1
    return ended.stderr.rstrip()


def test_an_old_python_is_refused_in_one_line(repository: Repository) -> None:
    ended = repository.install(before="sys.version_info = (3, 9, 1)")
    assert refusal(ended).startswith("error: yolox_attn needs Python 3.10 or newer, this is ")


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("apt-get", "sudo apt-get install g++ python3-dev"),
        ("dnf", "sudo dnf install gcc-c++ python3-devel"),
        ("other", "your system's package manager: g++ and Python's headers"),
    ],
)
def test_a_missing_compiler_stops_before_anything_is_made(
    repository: Repository, manager: str, command: str
) -> None:
    write_program(repository.path / manager, "")
    line = refusal(repository.install(CXX="no-such-compiler -pthread"))
    assert "needs a C++ compiler, and there is no no-such-compiler here; fix it with: " in line
    assert line.endswith(command)
    assert repository.commands() == []
    assert not repository.venv.exists()


def test_on_a_mac_xcode_brings_the_compiler() -> None:
    spec = importlib.util.spec_from_file_location("install", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.compiler_command("Darwin") == "xcode-select --install"


def test_a_compiler_that_cannot_compile_is_refused_with_its_reason(repository: Repository) -> None:
    write_program(repository.path / "cxx", "echo 'Python.h: No such file' >&2; exit 1")
    line = refusal(repository.install())
    assert "cxx cannot compile a Python extension (Python.h: No such file)" in line


def test_no_compiler_is_needed_once_yolox_is_there(repository: Repository) -> None:
    repository.add_uv()
    (repository.venv / "lib/python3.12/site-packages/yolox-0.3.0.dist-info").mkdir(parents=True)
    assert repository.install(CXX="no-such-compiler").returncode == 0


def test_a_python_without_venv_is_refused(repository: Repository) -> None:
    write_program(repository.path / "apt-get", "")
    line = refusal(repository.install("--pip", before="sys.modules['ensurepip'] = None"))
    assert line.endswith("fix it with: sudo apt-get install python3-venv")


@pytest.mark.parametrize(("version", "used"), [("0.9.0", True), ("0.8.24", False), ("?", False)])
def test_a_uv_that_is_new_enough_is_used(repository: Repository, version: str, used: bool) -> None:
    repository.add_venv()
    repository.add_uv(version)
    assert repository.install().returncode == 0
    brought = [] if used else ["python -m pip install --quiet uv>=0.9.0"]
    sync = f"uv sync --inexact --compile-bytecode --python {repository.venv}/bin/python"
    assert repository.commands() == [*brought, sync]


def test_uv_makes_the_environment_where_there_is_none(repository: Repository) -> None:
    repository.add_uv()
    ended = repository.install()
    assert ended.returncode == 0
    assert "install: ready after" in ended.stdout
    assert repository.commands()[0] == (
        f"uv venv --quiet --seed --python {sys.executable} {repository.venv}"
    )


def test_without_uv_pip_brings_it(repository: Repository) -> None:
    write_program(python := repository.path / "python3", NOTE + MAKE_VENV)
    assert repository.install(before=f"sys.executable = {str(python)!r}").returncode == 0
    venv, uv, sync = repository.commands()
    assert venv == f"python3 -m venv {repository.venv}"
    assert uv == "python -m pip install --quiet uv>=0.9.0"
    assert sync.startswith("uv sync --inexact")


def test_with_pip_yolox_comes_after_torch_and_without_its_pins(repository: Repository) -> None:
    repository.add_venv()
    assert repository.install("--pip").returncode == 0
    *_, torch, yolox = repository.commands()
    assert torch.endswith("pip install --no-build-isolation --group dev --editable .")
    assert yolox.endswith("pip install --no-build-isolation --no-deps --group host")


def test_up_to_date_means_finished_here_unchanged_and_working(repository: Repository) -> None:
    repository.add_venv()
    repository.add_uv()
    assert repository.install().returncode == 0
    assert len(repository.commands()) == 1
    assert repository.install().stdout == f"{repository.venv} is up to date\n"
    assert repository.commands() == []
    repository.add_venv('case "$*" in *yolox.utils*) exit 0;; *) exit 1;; esac')  # one is gone
    assert repository.install().returncode == 0
    assert len(repository.commands()) == 1
    repository.add_venv()
    (repository.root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert repository.install().returncode == 0
    assert len(repository.commands()) == 1


def test_a_failing_step_stops_with_its_status_and_leaves_it_unfinished(
    repository: Repository,
) -> None:
    repository.add_venv()
    repository.add_uv()
    assert repository.install().returncode == 0
    (repository.root / "pyproject.toml").write_text("[project]\nname = 'x'\n")
    repository.add_venv("exit 7")
    ended = repository.install("--pip")
    assert ended.returncode == 7
    assert ended.stderr.startswith("error: this failed, see above: ")
    repository.add_venv()
    (repository.root / "pyproject.toml").write_text("[project]\n")  # as it was when it finished
    assert "is up to date" not in repository.install().stdout


def test_another_active_environment_is_left_alone(repository: Repository) -> None:
    repository.add_venv('env >> "$LOG"')
    others = dict.fromkeys(("VIRTUAL_ENV", "PYTHONPATH", "PIP_TARGET", "UV_PYTHON"), "elsewhere")
    assert repository.install("--pip", **others).returncode == 0
    lines = repository.commands()
    assert not any("elsewhere" in line for line in lines)
    assert f"UV_PROJECT_ENVIRONMENT={repository.venv}" in lines

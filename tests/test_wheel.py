"""What `pip install` of a built wheel or sdist gives: the package, its commands, nothing else."""

import multiprocessing
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ["pyproject.toml", "setup.py", "README.md", "LICENSE", "yolox_attn", "tools", "exps"]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build sdist and wheel from a copy of the sources, so that no build folder stays behind."""
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("built")
    for name in SOURCES:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    for what in ("build_sdist", "build_wheel"):
        code = f"from setuptools.build_meta import {what}; {what}({str(folder)!r})"
        subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    return folder


@pytest.fixture
def wheel(built: Path) -> Path:
    return next(built.glob("*.whl"))


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_only_the_package_is_installed(wheel: Path) -> None:
    top = {name.partition("/")[0] for name in names(wheel)}
    assert top == {"yolox_attn", "yolox_attn-0.1.0.dist-info"}


def test_every_module_template_and_the_type_marker_are_in_it(wheel: Path) -> None:
    sources = [*ROOT.glob("yolox_attn/**/*.py"), *ROOT.glob("yolox_attn/**/*.j2")]
    modules = {path.relative_to(ROOT).as_posix() for path in sources}
    packed = {name for name in names(wheel) if name.startswith("yolox_attn/")}
    assert packed == modules | {"yolox_attn/py.typed"}


def test_the_metadata_has_the_command_the_licence_and_no_yolox(wheel: Path) -> None:
    info = "yolox_attn-0.1.0.dist-info"
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{info}/METADATA").decode()
        commands = archive.read(f"{info}/entry_points.txt").decode()
        licence = archive.read(f"{info}/licenses/LICENSE").decode()
    assert "yolox-attn = yolox_attn.cli:main" in commands
    assert "Apache License" in licence
    assert "License-Expression: Apache-2.0" in metadata
    needed = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ")]
    assert "Requires-Dist: torch>=2.10" in needed
    assert not [line for line in needed if "yolox" in line]


def load_exp_from(folder: Path, results: SimpleQueue) -> None:
    """Import the package anew, from `folder`; what it is built on stays loaded, to save seconds."""
    os.chdir(folder)
    sys.path.insert(0, str(folder))
    for name in [name for name in sys.modules if name.partition(".")[0] == "yolox_attn"]:
        del sys.modules[name]
    from yolox_attn.exp import load_exp

    exp = load_exp(None, "yolox-m-cam")
    results.put((sys.modules["yolox_attn"].__file__, exp.attention))


def test_it_runs_from_another_place(wheel: Path, tmp_path: Path) -> None:
    """Unpacked elsewhere, a named experiment and the commands work without the repository."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    forked = multiprocessing.get_context("fork")
    results = forked.SimpleQueue()
    process = forked.Process(target=load_exp_from, args=(tmp_path, results))
    process.start()
    process.join()
    assert process.exitcode == 0
    assert results.get() == (str(tmp_path / "yolox_attn" / "__init__.py"), "cam")
    command = [sys.executable, "-m", "yolox_attn.cli", "--version"]
    printed = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert printed.stdout == "yolox-attn 0.1.0\n"


@pytest.fixture(scope="module")
def all_but_yolox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with everything that is installed here, except YOLOX and this package."""
    folder = tmp_path_factory.mktemp("libraries")
    for path in Path(sysconfig.get_paths()["purelib"]).iterdir():
        if "yolox" not in path.name and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["*.whl", "*.tar.gz"])
def test_in_an_empty_environment_it_says_what_is_missing(
    kind: str, built: Path, all_but_yolox: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "venv", with_pip=True)
    python, program = (tmp_path / "venv/bin" / name for name in ("python", "yolox-attn"))
    own = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def run(*words: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            words, cwd=tmp_path, env=own | environment, capture_output=True, text=True
        )

    archive = next(built.glob(kind))
    # The sdist is built by what builds it here: nothing is fetched.
    done = run(
        python, "-m", "pip", "install", "--no-deps", "--no-index", "--no-build-isolation", archive,
        PYTHONPATH=str(all_but_yolox),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert run(program, "--version").stdout == "yolox-attn 0.1.0\n"

    bare = run(program, "train", "-n", "yolox-nano-cam")
    assert (bare.returncode, bare.stdout) == (2, "")
    assert bare.stderr.startswith("error: not installed: jinja2, loguru, matplotlib, ")
    assert f"; fix it with: {python} -m pip install jinja2 " in bare.stderr
    assert len(bare.stderr.splitlines()) == 1

    without = run(program, "train", "-n", "yolox-nano-cam", PYTHONPATH=str(all_but_yolox))
    flags = "--no-deps --no-build-isolation --force-reinstall yolox==0.3.0"
    how = f"fix it with: {python} -m pip install {flags}"
    assert (without.returncode, without.stdout) == (2, "")
    assert without.stderr == f"error: yolox 0.3.0 is not installed; {how}\n"


def test_the_sdist_has_what_the_wheel_has(built: Path, wheel: Path) -> None:
    with tarfile.open(next(built.glob("*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert {name for name in names(wheel) if name.startswith("yolox_attn/")} <= packed
    assert {"README.md", "LICENSE", "pyproject.toml", "setup.py"} <= packed

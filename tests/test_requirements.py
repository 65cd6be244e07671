"""Every way an environment can be wrong ends in one line with the command that fixes it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from yolox_attn.requirements import MODULES, check_requirements

ROOT = Path(__file__).resolve().parents[1]
DOES_NOT_FIT = "raise RuntimeError('operator torchvision::nms does not exist')"


def fake_environment(folder: Path, **sources: str | None) -> Path:
    """Write empty packages of the required names; `sources` gives code, None leaves one out."""
    modules = dict.fromkeys([*MODULES, "yolox"], "")
    for name, source in (modules | sources).items():
        if source is not None:
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text(source)
            version = "0.3.0" if name == "yolox" else "9.9"
            write_version(folder, name, version)
    return folder


def write_version(folder: Path, name: str, version: str) -> None:
    info = folder / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


def run_in(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    """Run `code` where only the standard library, `folder` and this package can be imported."""
    start = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]; "
    command = [sys.executable, "-I", "-S", "-c", start + code]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def printed(folder: Path) -> str:
    """Return the one line that the training command prints in this environment."""
    ended = run_in(folder, "from yolox_attn.cli import main; sys.exit(main(['train', '-n', 'x']))")
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == ""
    assert ended.stderr.count("\n") == 1
    return ended.stderr


def test_this_environment_is_complete() -> None:
    check_requirements()


def test_a_complete_fake_environment_passes(tmp_path: Path) -> None:
    code = "from yolox_attn.requirements import check_requirements; check_requirements()"
    ended = run_in(fake_environment(tmp_path), code)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_all_dependencies_of_the_metadata_are_looked_for() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = re.search(r"^dependencies = \[(.*?)^\]", text, re.DOTALL | re.MULTILINE)
    assert listed
    names = set(re.findall(r'^  "([\w-]+)>=', listed[1], re.MULTILINE))
    assert names - {"setuptools"} == set(MODULES.values())


@pytest.mark.parametrize("module", ["cv2", "torch"])
def test_a_missing_package_is_named(tmp_path: Path, module: str) -> None:
    line = printed(fake_environment(tmp_path, **{module: None}))
    assert line.startswith(f"error: not installed: {MODULES[module]}; fix it with: ")
    assert line.endswith(f"pip install {MODULES[module]}\n")


def test_all_missing_packages_are_named_at_once(tmp_path: Path) -> None:
    assert "torch, torchvision; " in printed(
        fake_environment(tmp_path, torch=None, torchvision=None)
    )


def test_missing_yolox_gives_the_install_that_works(tmp_path: Path) -> None:
    line = printed(fake_environment(tmp_path, yolox=None))
    assert "error: yolox 0.3.0 is not installed; fix it with: " in line
    assert "pip install --no-deps --no-build-isolation" in line
    assert line.endswith("yolox==0.3.0\n")


def test_a_torchvision_of_another_torch_is_reported_with_both_versions(tmp_path: Path) -> None:
    line = printed(fake_environment(tmp_path, torchvision=DOES_NOT_FIT))
    assert "torchvision does not fit torch (torchvision 9.9, torch 9.9: operator " in line
    assert line.endswith("torch torchvision\n")


def test_another_release_of_yolox_is_refused(tmp_path: Path) -> None:
    folder = fake_environment(tmp_path, yolox=None)
    (folder / "yolox").mkdir()
    (folder / "yolox" / "__init__.py").touch()
    write_version(folder, "yolox", "0.2.0")
    assert "yolox 0.3.0 is needed" in printed(folder)
    assert "is 0.2.0" in printed(folder)


def test_the_repository_yolox_is_refused_though_it_says_0_3_0(tmp_path: Path) -> None:
    folder = fake_environment(tmp_path)
    (folder / "yolox" / "utils").mkdir()
    (folder / "yolox" / "utils" / "mlflow_logger.py").touch()
    assert "is a development version" in printed(folder)


def test_a_folder_named_yolox_is_not_yolox(tmp_path: Path) -> None:
    folder = fake_environment(tmp_path, yolox=None)
    (folder / "yolox").mkdir()
    assert "yolox 0.3.0 is not installed" in printed(folder)


def test_in_the_checkout_environment_the_installer_fixes_it(tmp_path: Path) -> None:
    folder = fake_environment(tmp_path, tabulate=None)
    code = (
        f"sys.prefix = {str(ROOT / '.venv')!r}; "
        "from yolox_attn.cli import main; sys.exit(main(['compare']))"
    )
    line = run_in(folder, code).stderr
    assert line.endswith(f"python3 {ROOT / 'tools' / 'install.py'}\n")

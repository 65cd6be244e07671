"""Rules of the repository: what has a test, what may be committed, names that must differ."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "yolox_attn"

# Pieced together, so that this file passes its own test.
HOSTS = ["pypi" + ".org", "pythonhosted" + ".org", "download.pytorch" + ".org", "npmjs" + ".org"]
FOLDERS = ["/" + "root/", "/" + "work/", "/" + "tmp/"]
LARGEST = 1 << 20  # bytes


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked is not known")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def texts(folder: Path) -> dict[Path, str]:
    return {path: path.read_text(encoding="utf-8") for path in sorted(folder.rglob("*.py"))}


def test_each_public_module_is_imported_by_a_test_of_its_folder() -> None:
    """Public is what another folder imports, by its own name or from the folder's __init__."""
    sources, untested = texts(PACKAGE), []
    for folder in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        outside = [text for path, text in sources.items() if folder not in path.parents]
        tests = texts(ROOT / "tests" / folder.name).values()
        exports, short = sources[folder / "__init__.py"], f"from yolox_attn.{folder.name} import"
        for path in folder.rglob("*.py"):
            module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            names = re.compile(rf"{module}\b" + (f"|{short}" if f"{module} " in exports else ""))
            if any(map(names.search, outside)) and not any(map(names.search, tests)):
                untested.append(module)
    assert not untested


def test_names_of_experiments_are_unique() -> None:
    """YOLOX loads an Exp file by its bare name: of two it would load the first twice."""
    names = Counter(path.name for path in (ROOT / "exps").rglob("*.py"))
    assert not [name for name, count in names.items() if count > 1]


def test_nothing_of_one_machine_is_committed() -> None:
    pattern = re.compile("|".join(map(re.escape, HOSTS + FOLDERS)).encode())
    hits = {
        path.relative_to(ROOT).as_posix(): hit.group().decode()
        for path in tracked()
        if (hit := pattern.search(path.read_bytes()))
    }
    assert not hits


def test_no_large_file_and_no_lock_file_is_committed() -> None:
    assert not [path for path in tracked() if path.stat().st_size > LARGEST]
    assert not [path for path in tracked() if path.name == "uv.lock"]

"""Rules of the repository: where tests stand, what may be committed, names that must differ."""

import re
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "yolox_attn"

COVERED_ELSEWHERE = {  # a module without a test file of its own name -> where it is tested, and why
    "blocks/factory.py": "blocks/test_contract.py: its promise is the whole zoo's",
    "blocks/mirror.py": "blocks/test_acmix.py: a part of ACmix",
    "blocks/neighbourhood.py": "blocks/test_acmix.py: a part of ACmix",
    "blocks/regions.py": "blocks/test_drconv.py: a part of DRConv",
    "blocks/tiles.py": "blocks/test_acmix.py: a part of ACmix",
    "cli/__main__.py": "cli/test_cli.py: one line that calls the dispatcher",
    "core/prepare.py": "core/test_trainer.py: what a run refuses before its first step",
    "core/prepared.py": "core/test_trainer.py: a trainer that is prepared is one that trains",
    "core/state.py": "core/test_exactness.py: what a checkpoint holds is what resuming needs",
    "data/annotations.py": "data/test_coco_folder.py: every way a folder can be wrong",
    "study/collecting.py": "study/test_reporting.py: what a report leaves out, by name",
    "errors.py": "cli/test_cli.py: a bare exception class; what matters is how it is told",
    "evaluators/adapt.py": "evaluators/test_voc.py: tested where a host's evaluator becomes ours",
    "evaluators/figures.py": "evaluators/test_coco.py: the figures of planted detections",
    "evaluators/results.py": "evaluators/test_coco.py: the results of planted detections",
    "evaluators/rules.py": "evaluators/test_predict.py: the rules decide what predict keeps",
    "exp/evaluation.py": "cli/test_eval.py: what the command prints and writes",
    "report/notes.py": "report/test_comparison.py: the notes of a comparison",
}

# Pieced together, so that this file passes its own test.
HOSTS = ["pypi" + ".org", "pythonhosted" + ".org", "download.pytorch" + ".org", "npmjs" + ".org"]
FOLDERS = ["/" + "root/", "/" + "work/", "/" + "tmp/"]
LARGEST = 1 << 20  # bytes


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout: what is tracked cannot be told")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def test_tests_mirror_the_package() -> None:
    untested = []
    for path in sorted(PACKAGE.rglob("*.py")):
        name = path.relative_to(PACKAGE).as_posix()
        own = ROOT / "tests" / path.relative_to(PACKAGE).with_name(f"test_{path.name}")
        if path.name != "__init__.py" and name not in COVERED_ELSEWHERE and not own.exists():
            untested.append(f"{name} has no {own.relative_to(ROOT).as_posix()}")
    assert not untested, "\n".join(untested)


def test_the_list_of_exceptions_is_not_stale() -> None:
    for name, reason in COVERED_ELSEWHERE.items():
        assert (PACKAGE / name).exists()
        assert (ROOT / "tests" / reason.partition(":")[0]).exists()
        assert not (ROOT / "tests" / name).with_name(f"test_{Path(name).name}").exists()


def test_names_of_experiments_are_unique() -> None:
    """YOLOX loads an Exp file by its bare name: of two it would load the first twice."""
    names = Counter(path.name for path in (ROOT / "exps").rglob("*.py"))
    assert not [name for name, count in names.items() if count > 1]


def test_nothing_of_one_machine_is_committed() -> None:
    pattern = re.compile("|".join(map(re.escape, HOSTS + FOLDERS)).encode())
    found = {
        path.relative_to(ROOT).as_posix(): hit.group().decode()
        for path in tracked()
        if (hit := pattern.search(path.read_bytes()))
    }
    assert not found


def test_no_large_file_and_no_lock_file_is_committed() -> None:
    assert not [path for path in tracked() if path.stat().st_size > LARGEST]
    assert not [path for path in tracked() if path.name == "uv.lock"]

"""The README's commands are the ones that are run, and what it names is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^```bash\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
GENERATED = (".venv", "YOLOX_outputs", "datasets")  # not there in a fresh clone


def words_of_files(text: str) -> set[str]:
    """Return the words that look like paths of this repository: in a folder or at the top."""
    words = re.findall(r"[\w./-]+", text)
    top = {path.name for path in ROOT.iterdir()} - {".git"}
    paths = {word.rstrip(".").rstrip("/") for word in words if "/" in word or word in top}
    return {path for path in paths if path.partition("/")[0] in top}


def test_the_first_two_blocks_are_single_commands() -> None:
    first, second = (block.strip() for block in COMMANDS[:2])
    assert "\n" not in first + second
    assert first == "python3 tools/install.py && .venv/bin/python tools/demo.py"
    steps = second.split(" && ")
    assert steps[:2] == ["python3 tools/install.py", ". .venv/bin/activate"]
    assert {"ruff check .", "ruff format --check .", "mypy"} <= set(steps)
    assert steps[-1].startswith("pytest ")
    assert "-rs" in steps[-1]  # skips are printed with their reasons


def run_ci(repository: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """Run .ci/run in a repository whose README has these bash blocks, among others."""
    (repository / ".ci").mkdir()
    shutil.copy(ROOT / ".ci" / "run", repository / ".ci" / "run")
    blocks = [f"```python\nprint()\n```\n```bash\n{command}\n```\n" for command in commands]
    (repository / "README.md").write_text("# x\n" + "text\n".join(blocks))
    command = ["bash", ".ci/run"]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)


def test_ci_runs_the_second_block_and_no_other(tmp_path: Path) -> None:
    ended = run_ci(tmp_path, "echo one", "pwd && echo $OMP_WAIT_POLICY", "echo three")
    assert ended.returncode == 0
    assert ended.stdout.splitlines()[1:] == [os.fspath(tmp_path.resolve()), "PASSIVE"]


def test_ci_fails_with_the_status_of_the_command(tmp_path: Path) -> None:
    assert run_ci(tmp_path, "true", "true && exit 3 && echo never").returncode == 3


def test_ci_fails_when_the_block_is_gone(tmp_path: Path) -> None:
    ended = run_ci(tmp_path, "echo one")
    assert (ended.returncode, ended.stdout) == (1, "")


def test_every_file_the_readme_names_exists() -> None:
    named = {path for path in words_of_files(README) if not path.startswith(GENERATED)}
    assert {"tools/install.py", "tools/demo.py"} <= named
    assert not [path for path in named if not (ROOT / path).exists()]

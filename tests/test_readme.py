"""The README's commands are the ones that are run, and what it names is there."""

import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from layouts import as_voc
from planned import with_test_split

from yolox_attn.cli import main
from yolox_attn.exp import load_exp

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


# Appended to a command, so that it takes seconds: everything else is as the page has it.
WIDTH = ["depth", "0.33", "width", "0.125"]
SHORT = ["max_epoch", "1", "warmup_epochs", "0", "no_aug_epochs", "0", "data_num_workers", "0"]
QUICK = {
    "convert": [],
    "detect": ["--device", "cpu"],
    "doctor": [],
    "export": ["--images", "2"],
    "train": ["--size", "64", "-b", "4", "--device", "cpu", *SHORT, *WIDTH],
    "eval": ["--device", "cpu"],
    "compare": ["--repeats", "2", "--device", "cpu"],
    "study plan": ["--seeds", "1", "--size", "64", "-b", "4", "--no-probe", *SHORT, *WIDTH],
    "study noise": ["--seeds", "1", "--size", "64", "-b", "4", "--no-probe", *SHORT, *WIDTH],
    "study run": ["--device", "cpu", "--max-parallel", "2"],
    "study status": [],
    "study report": ["--repeats", "2", "--device", "cpu"],
}
PAGES = {  # read at one desk, from top to bottom
    "English": (
        *(
            "README.md",
            "docs/data.md",
            "docs/training.md",
            "docs/detect.md",
            "docs/export.md",
            "docs/studies.md",
        ),
    ),
    "Chinese": ("README.zh-CN.md",),
}


def commands_of(page: str) -> list[list[str]]:
    """Return the words of each command in the page's bash blocks, without installing and CI."""
    blocks = re.findall(
        r"^```bash\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )
    lines = [line for block in blocks for line in block.strip().splitlines()]
    return [shlex.split(line) for line in lines if not line.startswith("python3 tools/install.py")]


@pytest.fixture
def desk(drawn: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reader's folder: experiments, data in DATA with a test split, and weights of YOLOX-s.

    Data of other layouts besides: VOC, and PHOTOS, which are not split.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    (tmp_path / "exps").symlink_to(ROOT / "exps")
    with_test_split(drawn, tmp_path / "DATA")
    as_voc(drawn, tmp_path / "VOC")
    as_voc(drawn, tmp_path / "PHOTOS")
    shutil.rmtree(tmp_path / "PHOTOS/ImageSets")
    photos = sorted((tmp_path / "PHOTOS/JPEGImages").iterdir())
    rows = (f"{photo.name},film{place // 3}" for place, photo in enumerate(photos))
    (tmp_path / "groups.csv").write_text("\n".join(["image,group", *rows]))
    exp = load_exp(name="yolox-s")
    exp.merge(WIDTH)
    torch.save({"model": exp.get_model().state_dict()}, tmp_path / "yolox_s.pth")
    return tmp_path


def type_in(words: list[str]) -> None:
    """Call the command that the words name, shortened."""
    assert words[0] == "python"
    tool = Path(words[1]).stem
    action = [tool, words[2]] if tool == "study" else [tool]
    assert main([tool, *words[2:], *QUICK[" ".join(action)]]) == 0, words


@pytest.mark.parametrize(("language", "least"), [("English", 18), ("Chinese", 6)])
def test_every_command_of_the_pages_works_from_top_to_bottom(
    desk: Path, language: str, least: int
) -> None:
    lines = [words for page in PAGES[language] for words in commands_of(page)]
    assert len(lines) >= least
    for words in lines:
        if words[1] != "tools/study.py":
            type_in(words)
    assert (desk / "YOLOX_outputs/yolox_s_cam/seed0/eval_val").is_dir()
    assert (desk / "found/detections.jsonl").is_file()
    if language == "English":
        assert (desk / "report/comparison.html").is_file()
        assert (desk / "YOLOX_outputs/yolox_s_cam/seed0/eval_test_conf0.1").is_dir()


@pytest.mark.slow
@pytest.mark.parametrize("language", PAGES)
def test_every_study_of_the_pages_is_planned_run_and_reported(desk: Path, language: str) -> None:
    lines = [
        words for page in PAGES[language] for words in commands_of(page) if "study" in words[1]
    ]
    assert len(lines) >= 3
    for words in lines:
        type_in(words)
    assert (desk / "studies/mine/report/comparison.html").is_file()


def test_the_pages_python_does_what_it_says(tmp_path: Path) -> None:
    (code,) = re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    (file := tmp_path / "mine.py").write_text(code)
    blocks = load_exp(str(file)).get_model().backbone.backbone.attention
    assert {level: type(block).__name__ for level, block in blocks.items()} == {
        "dark4": "ECA",
        "dark5": "ACmix",
    }


def test_links_and_pictures_of_the_pages_are_there() -> None:
    for page in (*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").glob("*.md"))):
        for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).is_file(), (page, link)

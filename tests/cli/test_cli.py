"""The dispatcher: names, exit codes, and what is decided before torch is imported."""

import errno
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from yolox_attn import __version__, cli
from yolox_attn.errors import InputError, Interrupted, TrainingError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A stand-in for the module of the command `train`, whose main returns what it was given."""
    module = ModuleType("yolox_attn.cli.train")
    module.main = lambda argv: len(argv)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def raising(error: BaseException) -> cli.Main:
    def main(argv: list[str] | None) -> int:
        raise error

    return main


def test_the_words_after_the_command_are_its_own(command: ModuleType) -> None:
    assert cli.main(["train", "-f", "a.py", "--help"]) == 3


def test_every_command_has_its_module_and_its_entry_point() -> None:
    for name in cli.COMMANDS:
        assert (ROOT / "yolox_attn" / "cli" / f"{name}.py").exists()
        assert f'run("{name}")' in (ROOT / "tools" / f"{name}.py").read_text()


def test_users_mistakes_are_one_line_and_status_2(
    command: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    command.main = raising(InputError("no such folder: x"))  # type: ignore[attr-defined]
    assert cli.main(["train"]) == 2
    assert capsys.readouterr().err == "error: no such folder: x\n"


@pytest.mark.parametrize(
    ("error", "code", "says"),
    [
        (TrainingError("epoch 1: loss is nan"), 1, "error: epoch 1: loss is nan\n"),
        (Interrupted("stopped and saved"), 75, "stopped and saved\n"),
        (InputError("a\nb\x1b[31m"), 2, "error: a\\nb\\x1b[31m\n"),
        (OSError(errno.ENOSPC, "No space left"), 2, "error: No space left\n"),
        (OSError(errno.EFBIG, "File too large", "a.pth"), 2, "error: a.pth: File too large\n"),
        (PermissionError(errno.EACCES, "Not yours", "x"), 2, "error: x: Not yours\n"),
        (OSError(errno.EROFS, "Read-only", "run.json"), 2, "error: run.json: Read-only\n"),
        (KeyboardInterrupt(), 130, "stopped by Ctrl-C\n"),
    ],
)
def test_each_way_to_end_has_one_line_and_a_code_of_its_own(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, says: str
) -> None:
    assert cli.report_errors(raising(error))([]) == code
    assert capsys.readouterr().err == says


def test_one_of_several_processes_says_which(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    assert cli.report_errors(raising(InputError("no image")))([]) == 2
    assert capsys.readouterr().err == "[rank 1] error: no image\n"


@pytest.mark.parametrize(
    "words",
    [
        ["train", "-n", "yolox-nano", "--data", "~nobody-here/x"],
        ["train", "-n", "yolox-nano", "--data=~nobody-here/x"],
        ["doctor", "--data", "~nobody-here/x"],
        ["convert", "~nobody-here/x", "-o", "out"],
        ["compare", "~nobody-here/x"],
        ["detect", "~nobody-here/x", "-c", "run"],
        ["study", "plan", "s", "--baseline", "~nobody-here/x", "--variants", "cam", "--seeds", "3"],
    ],
    ids=" ".join,
)
def test_the_home_of_nobody_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("error: ")
    assert "~nobody-here/x" in err


HEAVY = {"torch", "yolox", "scipy", "cv2", "matplotlib"}


@pytest.mark.parametrize(
    "words",
    [
        *([name, "--help"] for name in cli.COMMANDS),
        ["train"],
        ["train", "-n", "yolox-nano", "--batch-size", "many"],
        ["train", "-f", "gone.py"],
        ["train", "-n", "yolox-nano", "--data", "gone"],
        ["train", "-n", "yolox-nano", "-c", "gone.pth"],
        ["eval"],
        ["eval", "gone"],
        ["eval", "-c", "gone.pth"],
        ["detect", "gone.jpg", "-c", "."],
        ["export", "-c", "gone"],
        ["doctor", "--data", "gone"],
        ["convert", "gone", "-o", "out"],
        ["compare", "gone"],
        ["compare", "--truth", "gone.json", "--detections", "A=a.json", "B=b.json"],
        ["study", "plan", "s", "--baseline", "gone.py", "--variants", "cam"],
        *(["study", name, "gone"] for name in ("run", "status", "report", "merge")),
        ["study", "add", "gone", "run"],
        ["study", "diff", "gone", "gone"],
        ["fetch_weights", "xxl"],
        ["demo", "image"],
    ],
    ids=" ".join,
)
def test_help_and_what_is_not_there_come_before_torch(words: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from yolox_attn.cli import main\ntry: code = main(sys.argv[1:])\n"
        "except SystemExit as end: code = end.code\n"
        f"assert not {HEAVY!r} & sys.modules.keys(); sys.exit(code)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, check=False,
        cwd=tmp_path,
    )  # fmt: skip
    assert "Traceback" not in ended.stderr
    assert ended.returncode == (0 if words[-1] == "--help" else 2)


PRINTS = """
import sys
from yolox_attn.cli import report_errors
@report_errors
def main(argv):
    print("x" * 200_000)
    return 0
sys.exit(main([]))
"""


def test_a_reader_who_has_seen_enough_is_no_fault() -> None:
    command, pipe = [sys.executable, "-c", PRINTS], subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.read(10) == "x" * 10
        process.stdout.close()
        assert process.wait(30) == 141
        assert process.stderr is not None
        assert process.stderr.read() == ""


def test_a_fault_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        cli.report_errors(raising(ZeroDivisionError()))([])
    with pytest.raises(RuntimeError, match="shape"):
        cli.report_errors(raising(RuntimeError("shape '[2]' is invalid")))([])
    with pytest.raises(ConnectionError):
        cli.report_errors(raising(ConnectionError(errno.ECONNRESET, "reset")))([])


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words in (["--version"], ["--help"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(words)
        assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"yolox-attn {__version__}\n")
    assert all(f"\n  {name} " in printed for name in cli.COMMANDS)


@pytest.mark.parametrize("words", [[], ["tain"], ["tain", "--help"]])
def test_an_unknown_or_missing_command_is_refused_with_the_choices(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(words)
    assert ended.value.code == 2
    assert "train" in capsys.readouterr().err


def test_how_threads_wait_is_settled_before_torch_is_loaded() -> None:
    code = (
        "import sys; from yolox_attn.cli import common\n"
        "def note(): print({'torch', 'numpy', 'yolox'} & sys.modules.keys())\n"
        "common.set_wait_policy = note\n"
        "common.work_of('train'); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert printed.stdout == "set()\nTrue\n"


@pytest.mark.parametrize("words", [["-m", "yolox_attn.cli"], ["-m", "yolox_attn.cli", "tain"]])
def test_python_m_exits_with_the_status(words: list[str]) -> None:
    ended = subprocess.run([sys.executable, *words], capture_output=True, check=False)
    assert ended.returncode == 2

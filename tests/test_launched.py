"""A rank knows itself, ends with its launcher from its first line on, and leaves in peace."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from yolox_attn.launched import LAUNCHER, launched

ROOT = Path(__file__).resolve().parents[1]
RANK = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}
COMMAND = [sys.executable, "-m", "yolox_attn.cli", "train", "-n", "yolox-nano-cam"]


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, False),
        ({"WORLD_SIZE": "2", "RANK": "0"}, True),
        ({"WORLD_SIZE": "2"}, False),
        ({"WORLD_SIZE": "1", "RANK": "0"}, False),
        ({"WORLD_SIZE": "1", "RANK": "0", "TORCHELASTIC_RUN_ID": "none"}, True),
    ],
)
def test_a_rank_knows_itself_by_its_environment(
    environment: dict[str, str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("RANK", "WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(key, raising=False)
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    assert launched() is expected


def test_a_rank_whose_launcher_is_gone_does_not_begin() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    environment = {**os.environ, **RANK, LAUNCHER: str(gone.pid)}
    done = subprocess.run(COMMAND, env=environment, cwd=ROOT, capture_output=True, text=True)
    said = "error: the process that launched this rank is gone; nothing was done\n"
    assert (done.returncode, done.stderr) == (1, f"[rank 1] {said}")


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="sees by /proc what is imported")
def test_a_rank_whose_launcher_is_killed_while_it_imports_ends(tmp_path: Path) -> None:
    """It would wait for the others for as long as a machine may take to come."""
    script = tmp_path / "launcher.py"
    script.write_text(
        "import os, subprocess, sys, time\n"
        f"environment = os.environ | {RANK!r} | {{{LAUNCHER!r}: str(os.getpid())}}\n"
        f"rank = subprocess.Popen({COMMAND!r}, env=environment, cwd={str(ROOT)!r})\n"
        "print(rank.pid, flush=True)\n"
        "time.sleep(600)\n"
    )
    launcher = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    rank = psutil.Process(int(launcher.stdout.readline()))
    while "torch" not in Path(f"/proc/{rank.pid}/maps").read_text():  # it imports torch
        time.sleep(0.01)
    launcher.send_signal(signal.SIGKILL)
    launcher.communicate()
    psutil.wait_procs([rank], timeout=30)
    assert not rank.is_running()


@pytest.mark.parametrize("ending", ["", "sys.exit(3)", "raise ValueError", "sys.stdout = None"])
def test_the_last_to_leave_leaves_with_its_code(ending: str) -> None:
    program = (
        "import sys\n"
        "from yolox_attn.launched import leave_last\n"
        "leave_last(lambda: 7)\n"
        "import atexit, os\n"
        "atexit.register(os.write, 1, b'registered later')\n" + ending
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (7, "registered later")


@pytest.mark.parametrize(("words", "code"), [(["--help"], 0), (["--no-such-flag"], 2)])
def test_what_argparse_says_is_the_code_of_a_rank_too(words: list[str], code: int) -> None:
    done = subprocess.run(
        [*COMMAND, *words], env={**os.environ, **RANK}, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == code, done.stderr

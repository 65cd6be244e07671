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
    while not any("torch" in each.path for each in rank.memory_maps()):  # it imports torch
        time.sleep(0.01)
    launcher.send_signal(signal.SIGKILL)
    launcher.communicate()
    psutil.wait_procs([rank], timeout=30)
    assert not rank.is_running()


@pytest.mark.parametrize(("ending", "code"), [("", 7), ("sys.exit(3)", 7), ("raise ValueError", 7)])
def test_the_last_to_leave_leaves_with_the_code_and_ends_no_thread(ending: str, code: int) -> None:
    program = (
        "import sys\n"
        "from yolox_attn.launched import leave_last\n"
        "leave_last(lambda: 7)\n"
        "import atexit\n"
        "class Late:\n"
        "    def __del__(self): print('the end of the interpreter')\n"
        "sys.late = Late()\n"
        "atexit.register(print, 'registered later', end='')\n" + ending
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, "registered later")

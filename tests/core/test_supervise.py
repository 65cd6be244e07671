"""Processes that stand or fall together: small scripts without torch."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yolox_attn.core import launch as module
from yolox_attn.core.launch import supervise
from yolox_attn.errors import TrainingError

HEAD = """
import os, pathlib, signal, sys, time
rank = os.environ["RANK"]
folder = pathlib.Path(__file__).parent
def main():
    if rank == "0":
        {first}
    else:
        {second}
def wait_for_the_request():  # saves and exits with 75 when it is asked to, as training does
    def leave(number, frame):
        (folder / rank).write_text(str(number))
        sys.exit(75)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    (folder / ("ready" + rank)).touch()
    time.sleep(60)
main()
"""
ASKED = "wait_for_the_request()"
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEAVE", 0.5)
    monkeypatch.setattr(module, "END", 0.5)


def write_script(folder: Path, first: str, second: str) -> list[str]:
    """Write what each of two ranks does; returns the command."""
    script = folder / "rank.py"
    script.write_text(HEAD.format(first=first, second=second))
    return [sys.executable, str(script)]


def run(folder: Path, first: str, second: str) -> int:
    environments = [{**os.environ, "RANK": str(number)} for number in range(2)]
    return supervise(write_script(folder, first, second), environments)


def test_all_end_well(tmp_path: Path) -> None:
    assert run(tmp_path, "time.sleep(0.3)", "pass") == 0


@pytest.mark.parametrize("code", [2, 75])
def test_ranks_that_told_their_reason_give_the_code(tmp_path: Path, code: int) -> None:
    assert run(tmp_path, f"sys.exit({code})", f"sys.exit({code})") == code


@pytest.mark.parametrize(
    ("dies", "says"),
    [
        (KILLED, r"rank 1 ended with exit code -9 \(SIGKILL\); all ranks were stopped"),
        ("sys.exit(1)", "rank 1 ended with exit code 1; all ranks were stopped"),
    ],
)
def test_a_dead_rank_ends_all_even_those_that_do_not_listen(
    tmp_path: Path, dies: str, says: str
) -> None:
    started = time.monotonic()
    with pytest.raises(TrainingError, match=says):
        run(tmp_path, DEAF, dies)
    assert time.monotonic() - started < 20


def test_the_cause_is_named_not_the_rank_that_noticed(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="rank 1 ended with exit code -9"):
        run(tmp_path, "sys.exit(1)", KILLED)


def test_the_others_are_asked_to_stop_when_one_refuses_its_input(tmp_path: Path) -> None:
    refuses = "time.sleep(1); sys.exit(2)"
    assert run(tmp_path, ASKED, refuses) == 2
    assert (tmp_path / "0").read_text() == str(int(signal.SIGTERM))  # not killed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_launcher_reaches_every_rank_and_their_code_is_its_own(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = write_script(tmp_path, ASKED, ASKED)
    launcher_code = (
        "import os, sys; from yolox_attn.core.launch import supervise; "
        "envs = [{**os.environ, 'RANK': str(number)} for number in range(2)]; "
        f"sys.exit(supervise({command!r}, envs))"
    )
    with subprocess.Popen([sys.executable, "-c", launcher_code]) as launcher:
        wait_for(tmp_path / "ready0", tmp_path / "ready1")
        launcher.send_signal(number)
        assert launcher.wait(20) == 75
    assert [(tmp_path / rank).read_text() for rank in "01"] == [str(int(number))] * 2


def wait_for(*paths: Path) -> None:
    end = time.monotonic() + 60
    while not all(path.exists() for path in paths):
        assert time.monotonic() < end, f"never came: {paths}"
        time.sleep(0.05)

"""Who is a rank of which run: environments, the group, and what becomes of lost ranks."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from yolox_attn.core import launch as module
from yolox_attn.core.launch import launch, launched, process_group, supervise
from yolox_attn.errors import InputError, TrainingError

CPU = torch.device("cpu")
RANK_SCRIPT = """
import os, signal, sys, time, torch
from yolox_attn.cli import report_errors
from yolox_attn.core.launch import process_group
from yolox_attn.core.ranks import gather_objects
from yolox_attn.errors import InputError
@report_errors
def main(argv):
    with process_group(torch.device("cpu")):
        rank = torch.distributed.get_rank()
        for step in range(1000):
            gathered = gather_objects(rank)
            if argv == ["all well"]:
                open(os.path.join(os.path.dirname(__file__), str(rank)), "w").write(str(gathered))
                return 0
            if rank == 1 and step == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(0.01)
    return 0
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Launch the script above in two ranks, where `launch` would start a command of ours."""
    script = tmp_path / "rank.py"
    script.write_text(RANK_SCRIPT)

    def other(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
        return supervise([sys.executable, str(script), *command[4:]], environments)

    monkeypatch.setattr(module, "supervise", other)
    return lambda *argv: launch("train", argv, 2)


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What `launch` gives to its ranks, none of which is started; the command comes first."""
    given: list[dict[str, str]] = []

    def other(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
        given.extend([{"command": " ".join(command)}, *map(dict, environments)])
        return 0

    monkeypatch.setattr(module, "supervise", other)
    return given


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


def test_alone_there_is_no_group() -> None:
    with process_group(CPU):
        assert not dist.is_initialized()


def test_ranks_meet_and_part(ours: Callable[..., int], tmp_path: Path) -> None:
    assert ours("all well") == 0
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["[0, 1]", "[]"]


def test_a_killed_rank_ends_all_within_a_minute(
    ours: Callable[..., int], capfd: pytest.CaptureFixture[str]
) -> None:
    started = time.monotonic()
    with pytest.raises(TrainingError, match=r"rank 1 ended with exit code -9 \(SIGKILL\)"):
        ours()
    assert time.monotonic() - started < 60
    said = capfd.readouterr().err
    assert "lost another rank of the run" in said
    assert "Traceback" not in said


def test_the_threads_are_shared_out_and_a_given_count_is_kept(
    environments: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yolox_attn.device.usable_cores", lambda: 8)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    launch("eval", ["-n", "x"], 3)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    launch("eval", ["-n", "x"], 1)
    assert environments[0]["command"].endswith("-m yolox_attn.cli eval -n x")
    assert [each.get("OMP_NUM_THREADS") for each in environments[1:4]] == ["2"] * 3
    assert environments[5]["OMP_NUM_THREADS"] == "5"


def test_ranks_count_over_the_machines(environments: list[dict[str, str]]) -> None:
    launch("train", [], 2, machines=3, machine_rank=1, address="far.example:29500")
    keys = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
    assert [[each[key] for key in keys] for each in environments[1:]] == [
        ["2", "0", "6", "2", "far.example", "29500"],
        ["3", "1", "6", "2", "far.example", "29500"],
    ]
    assert environments[1]["TORCHELASTIC_USE_AGENT_STORE"] == "False"
    assert environments[1][module.LAUNCHER] == str(os.getpid())


def test_a_port_that_is_taken_is_told(environments: list[dict[str, str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--dist-url tcp://localhost:{port}: Address already"):
            launch("train", [], 1, machines=2, address=f"localhost:{port}")
    assert not environments


def test_an_environment_without_a_meeting_place_is_one_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "0")
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with (
        pytest.raises(InputError, match=r"cannot join the other processes at \?:\?: .*MASTER_ADDR"),
        process_group(CPU),
    ):
        pass


# Processes that stand or fall together: small scripts without torch.


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

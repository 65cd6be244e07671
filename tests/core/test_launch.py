"""Who is a rank of which run: environments, the group, and what becomes of lost ranks."""

import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from forked import ended, launcher_of_one, rank, start, supervised

from yolox_attn.core import launch as module
from yolox_attn.core.launch import launch, process_group, supervise
from yolox_attn.errors import InputError, TrainingError
from yolox_attn.launched import LAUNCHER

CPU = torch.device("cpu")


def wait_for_file(*paths: Path) -> None:
    end = time.monotonic() + 60
    while not all(path.exists() and path.stat().st_size for path in paths):
        assert time.monotonic() < end, f"never came: {paths}"
        time.sleep(0.02)


@pytest.fixture
def environments(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """What `launch` gives to its ranks, none of which is started; the command comes first."""
    given: list[dict[str, str]] = []

    def other(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
        given.extend([{"command": " ".join(command)}, *map(dict, environments)])
        return 0

    monkeypatch.setattr(module, "supervise", other)
    return given


def test_alone_there_is_no_group() -> None:
    with process_group(CPU):
        assert not dist.is_initialized()


@pytest.fixture
def launched_ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Return a function that launches two ranks, each a forked process; it returns their codes."""

    def run(lost: int | None) -> list[int]:
        codes: list[int] = []

        def other(_: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
            output = tmp_path / "output.txt"
            ranks = [start(output, rank, dict(each), tmp_path, lost) for each in environments]
            codes.extend(map(ended, ranks))
            return 0

        monkeypatch.setattr(module, "supervise", other)
        launch("train", [], 2)
        return codes

    return run


def test_ranks_meet_and_part(launched_ranks: Callable[..., list[int]], tmp_path: Path) -> None:
    assert launched_ranks(None) == [0, 0]
    assert [(tmp_path / rank).read_text() for rank in "01"] == ["[0, 1]", "[]"]


def test_a_rank_that_loses_another_says_so_in_one_line(
    launched_ranks: Callable[..., list[int]], tmp_path: Path
) -> None:
    assert launched_ranks(1) == [1, -signal.SIGKILL]
    printed = (tmp_path / "output.txt").read_text()
    assert "lost another rank of the run" in printed
    assert "Traceback" not in printed


def test_a_rank_whose_launcher_is_killed_is_asked_to_stop(tmp_path: Path) -> None:
    launcher = start(tmp_path / "output.txt", launcher_of_one, tmp_path)
    wait_for_file(tmp_path / "ready")
    os.kill(launcher.pid, signal.SIGKILL)
    wait_for_file(tmp_path / "stopped")
    assert (tmp_path / "stopped").read_text() == "SIGTERM"


def test_the_threads_are_shared_out_and_a_given_count_is_kept(
    environments: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "usable_cores", lambda: 8)
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
    assert environments[1][LAUNCHER] == str(os.getpid())


def test_a_port_that_is_taken_is_refused(environments: list[dict[str, str]]) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--dist-url tcp://localhost:{port}: Address already"):
            launch("train", [], 1, machines=2, address=f"localhost:{port}")
    assert not environments


def test_an_environment_without_an_address_is_one_line(
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


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("", 0))
        return int(free.getsockname()[1])


@pytest.mark.parametrize(
    ("rank", "said"),
    [(0, "rank 1, 2, 3 of 4 did not join"), (2, "Connection refused")],
)
def test_a_rank_says_what_it_waits_for_and_not_for_ever(
    rank: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Machine 0 whose others do not join; machine 1 that cannot reach machine 0."""
    port = free_port()
    environment = {
        "RANK": str(rank), "LOCAL_RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(module, "RENDEZVOUS", timedelta(seconds=0.5))
    monkeypatch.setattr(module, "ATTEMPT", timedelta(seconds=0.1))
    with (
        pytest.raises(InputError, match=rf"cannot join .* at 127.0.0.1:{port}: .*({said})"),
        process_group(CPU),
    ):
        pass
    waiting = f"waiting at most 0.00833333 minutes for the other machines at 127.0.0.1:{port}\n"
    assert capsys.readouterr().err == waiting


def test_a_port_that_is_taken_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        environment = {
            "RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(taken.getsockname()[1]),
        }  # fmt: skip
        for key, value in environment.items():
            monkeypatch.setenv(key, value)
        with pytest.raises(InputError, match=r"cannot join .*EADDRINUSE"), process_group(CPU):
            pass


def test_the_ranks_that_did_not_join_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # type: ignore[attr-defined]
    environment = {
        "RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "3", "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(store.port), "TORCHELASTIC_USE_AGENT_STORE": "True",
    }  # fmt: skip
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(module, "RENDEZVOUS", timedelta(seconds=0.5))
    monkeypatch.setattr(module, "ATTEMPT", timedelta(seconds=0.1))
    with pytest.raises(InputError, match="rank 1, 2 of 3 did not join"), process_group(CPU):
        pass


# Processes that end together: small scripts without torch.
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
    (folder / ("ready" + rank)).write_text("yes")
    time.sleep(60)
def wait_for_the_other():
    while not (folder / "ready0").exists():
        time.sleep(0.01)
main()
"""
STOPPING = "wait_for_the_request()"
KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def write_script(folder: Path, first: str, second: str) -> list[str]:
    """Write what each of two ranks does; returns the command."""
    script = folder / "rank.py"
    script.write_text(HEAD.format(first=first, second=second))
    return [sys.executable, "-S", str(script)]


ENVIRONMENTS = [{**os.environ, "RANK": str(number)} for number in range(2)]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that supervises two ranks, with little patience (seconds) if wanted."""

    def supervised(first: str, second: str, *, leave: float = 60, end: float = 60) -> int:
        monkeypatch.setattr(module, "LEAVE", leave)
        monkeypatch.setattr(module, "END", end)
        return supervise(write_script(tmp_path, first, second), ENVIRONMENTS)

    return supervised


def test_all_end_well(run: Callable[..., int]) -> None:
    assert run("time.sleep(0.3)", "pass") == 0


@pytest.mark.parametrize("code", [2, 75])
def test_ranks_that_said_why_give_their_code(run: Callable[..., int], code: int) -> None:
    assert run(f"sys.exit({code})", f"sys.exit({code})") == code


@pytest.mark.parametrize(
    ("dies", "says"),
    [
        (KILLED, r"rank 1 ended with exit code -9 \(SIGKILL\); all ranks were stopped"),
        ("sys.exit(1)", "rank 1 ended with exit code 1; all ranks were stopped"),
        (
            "os.kill(os.getpid(), signal.SIGRTMIN + 1)",
            rf"exit code -{signal.SIGRTMIN + 1} \(signal {signal.SIGRTMIN + 1}\); all",
        ),
    ],
)
def test_a_dead_rank_ends_all_even_those_that_do_not_listen(
    run: Callable[..., int], dies: str, says: str
) -> None:
    with pytest.raises(TrainingError, match=says):
        run(DEAF, dies, leave=0.1, end=0.2)


def test_the_cause_is_named_not_the_rank_that_noticed(run: Callable[..., int]) -> None:
    with pytest.raises(TrainingError, match="rank 1 ended with exit code -9"):
        run("sys.exit(1)", KILLED)


def test_the_others_are_asked_to_stop_when_one_refuses_its_input(
    run: Callable[..., int], tmp_path: Path
) -> None:
    assert run(STOPPING, "wait_for_the_other(); sys.exit(2)", leave=0.1) == 2
    assert (tmp_path / "0").read_text() == str(int(signal.SIGTERM))  # not killed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_launcher_reaches_every_rank_and_their_code_is_its_own(
    tmp_path: Path, number: signal.Signals
) -> None:
    command = write_script(tmp_path, STOPPING, STOPPING)
    launcher = start(tmp_path / "output.txt", supervised, command, ENVIRONMENTS)
    wait_for_file(tmp_path / "ready0", tmp_path / "ready1")
    os.kill(launcher.pid, number)
    assert ended(launcher) == 75
    assert [(tmp_path / rank).read_text() for rank in "01"] == [str(int(number))] * 2

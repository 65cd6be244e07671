"""Who is a rank of which run: environments, the group, and what becomes of lost ranks."""

import os
import socket
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

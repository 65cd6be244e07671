"""-d and several machines: who does the work, and what cannot be."""

import argparse
from typing import Any

import pytest

from yolox_attn.cli.common import add_process_options
from yolox_attn.commands import processes
from yolox_attn.commands.processes import Processes, process_options, run_in_processes
from yolox_attn.errors import InputError


def parse_processes(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("-b", "--batch-size", type=int, default=8)
    parser.add_argument("--device", default="cpu")
    add_process_options(parser)
    return parser.parse_args(words)


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "TORCHELASTIC_RUN_ID"):
        monkeypatch.delenv(key, raising=False)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What `launch` is called with; it answers 75."""
    noted: list[Any] = []

    def launch(*words: Any, **options: Any) -> int:
        noted.append((words, options))
        return 75

    monkeypatch.setattr(processes, "launch", launch)
    return noted


def two_ranks(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in {"RANK": "0", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "2"}.items():
        monkeypatch.setenv(key, value)


def test_one_process_does_the_work_itself(calls: list[Any]) -> None:
    for words in ([], ["-d", "1"], ["--dist-url", "auto"]):
        assert run_in_processes("train", parse_processes(*words), []) is None
    assert not calls


def test_several_are_launched_with_the_words_of_the_command(calls: list[Any]) -> None:
    words = ["-d", "2", "-b", "4"]
    assert run_in_processes("eval", parse_processes(*words), words) == 75
    assert calls == [
        (("eval", words, 2), {"machines": 1, "machine_rank": 0, "address": None}),
    ]


def test_several_machines_are_launched_one_by_one(calls: list[Any]) -> None:
    flags = ["--num_machines", "2", "--machine_rank", "1", "--dist-url", "tcp://first:29500"]
    assert run_in_processes("train", parse_processes(*flags), flags) == 75  # one process on each
    assert calls[0][1] == {"machines": 2, "machine_rank": 1, "address": "first:29500"}


def test_a_rank_does_the_work(calls: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    two_ranks(monkeypatch)
    for words in ([], ["-d", "2"]):  # its own launcher passes -d on
        assert run_in_processes("train", parse_processes(*words), words) is None
    assert process_options(parse_processes()) == Processes(here=2, machines=2)
    with pytest.raises(InputError, match="-d 3: torchrun started 2 processes on this machine"):
        process_options(parse_processes("-d", "3"))
    with pytest.raises(InputError, match="-b 6: does not divide among 4 processes; -b 4 or -b 8"):
        process_options(parse_processes("-b", "6"))
    assert not calls


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("-d 0", "-d 0: from 1 to"),
        ("-d 2 -b 1", "-b 1: does not divide among 2 processes; -b 2 does"),
        ("-d 2 --device cuda:1", "--device cuda:1 is one device"),
        ("-d 2 --device mps", "--device mps is one device"),
        ("-d 2 --dist-backend nccl", "--dist-backend nccl: needs CUDA, this is cpu; drop it"),
        ("--num_machines 0", "--num_machines 0: at least 1"),
        ("--machine_rank 1", "--machine_rank 1: from 0 to 0 with --num_machines 1"),
        ("--num_machines 2 --dist-url first:29500", "--dist-url first:29500: must read tcp://"),
        ("--num_machines 2 --dist-url tcp://first:99999", "must read tcp://HOST:PORT"),
    ],
)
def test_what_cannot_be_is_refused(words: str, says: str, calls: list[Any]) -> None:
    """And what the corpus of bad inputs has."""
    with pytest.raises(InputError, match=says):
        run_in_processes("train", parse_processes(*words.split()), [])
    assert not calls

"""The promise of resume, kept by the real trainer: killed anywhere, it ends in the same bits."""

import json
import os
import random
import re
import signal
import time
from pathlib import Path

import pytest
from forked import ended
from killing import (
    KINDS,
    STEPS,
    SWITCH,
    at_step,
    differing,
    finish,
    kill_again_and_again,
    outcome,
    start,
    unread,
)

from yolox_attn.data.drawn import drawn_set
from yolox_attn.errors import Interrupted

SEED = 20


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_set(tmp_path_factory.mktemp("kills"), train_images=24, val_images=8, size=96)


@pytest.fixture(scope="module")
def uninterrupted(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("uninterrupted")
    finish(start(data, out, 2))
    return out / "run"


def check(
    data: Path, uninterrupted: Path, out: Path, workers: int, kinds: tuple[str, ...], seed: int
) -> list[str]:
    hits = kill_again_and_again(data, out, workers, kinds, random.Random(seed))
    print(f"\nseed {seed}, {workers} workers:", *hits, sep="\n  ")
    assert len(hits) == len(kinds)
    assert differing(outcome(uninterrupted), outcome(out / "run")) == []
    return hits


def test_killed_while_saving_and_at_the_switch(
    data: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    check(data, uninterrupted, tmp_path, 0, ("saving", "switch"), SEED)


def test_a_signal_to_all_processes_saves_though_it_ends_the_workers(
    data: Path, uninterrupted: Path, tmp_path: Path
) -> None:
    """As timeout and schedulers send it."""
    worker = start(data, tmp_path, 2)
    while not at_step(worker, 1, 2)():
        time.sleep(0.01)
    os.killpg(worker.process.pid, signal.SIGTERM)
    assert ended(worker.process) == Interrupted.CODE, worker.output()
    finish(start(data, tmp_path, 2, "--resume"))
    assert differing(outcome(uninterrupted), outcome(tmp_path / "run")) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_reader_that_is_gone_costs_nothing(
    data: Path, uninterrupted: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """`train | tee log` and Ctrl-C, or a terminal that is closed: saved, and gone on with."""
    worker = start(data, tmp_path, 0, train=unread)
    while not at_step(worker, 1, 2)():
        assert worker.process.exitcode is None, worker.output()
        time.sleep(0.01)
    os.kill(worker.process.pid, number)
    assert ended(worker.process) == Interrupted.CODE
    assert "stopped" in json.loads((tmp_path / "run/run.json").read_text())["error"]
    unseen = start(data, tmp_path, 0, "--resume", train=unread)
    assert ended(unseen.process) == 0
    assert "best AP" in worker.text()  # the log file goes on
    assert differing(outcome(uninterrupted), outcome(tmp_path / "run")) == []


@pytest.mark.slow
def test_twenty_kills(data: Path, uninterrupted: Path, tmp_path: Path) -> None:
    """Five runs of four kills, one of each kind; at least three hit what they were meant for."""
    hits = []
    for seed in range(SEED + 1, SEED + 6):
        (out := tmp_path / str(seed)).mkdir()
        hits += check(data, uninterrupted, out, 2, KINDS, seed)
    assert len(hits) == 20
    for kind, words in (("saving", "was saving"), ("evaluation", "was evaluating")):
        assert sum(hit.startswith(kind) and words in hit for hit in hits) >= 3, hits
    assert sum(hit.startswith("switch") and near_the_switch(hit) for hit in hits) >= 3, hits


def near_the_switch(hit: str) -> bool:
    """The last step done before the kill was at most five from the one that closed mosaic."""
    step = re.search(r"after step \((\d+), (\d+)\)", hit)
    return bool(step) and abs(int(step[1]) * STEPS + int(step[2]) - (SWITCH + 1) * STEPS) <= 5

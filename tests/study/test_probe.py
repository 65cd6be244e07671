import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.probe import Probe, answer_of, probe

PYTHON = sys.executable
STAND_IN = """
import json, os, sys, time
sys.stdin.readline()
time.sleep(os.getpid() % 3 / 10)
ready = time.time()
print("hello\\nready", flush=True)
sys.stdin.readline()
step = float(os.getpid())
with open(f"{sys.argv[1]}/{os.getpid()}.json", "w") as file:
    json.dump({"ready": ready, "measuring": time.time(), "step": step}, file)
names = ("startup", "step", "image", "steps", "images", "memory", "device")
print(json.dumps(dict(zip(names, (1.0, step, 1.0, 1, 1, None, "cpu")))))
"""


def executable(folder: Path, line: str) -> str:
    """Return a program that stands in for Python, and does what a line of shell says."""
    program = folder / "python"
    program.write_text(f"#!/bin/sh\n{line}\n")
    program.chmod(0o755)
    return str(program)


def test_a_run_is_startup_steps_and_evaluated_images() -> None:
    timed = Probe(10.0, 0.5, 0.1, steps=30, images=100, memory=None, device="cpu")
    assert timed.seconds == 10 + 15 + 10


def test_a_probe_that_takes_too_long_is_given_up() -> None:
    variant = PlannedVariant("base", "baseline", None, "yolox-nano")
    assert probe(variant, Training(None), "val", "cpu", limit=0.1) == "not done after 0.1 s"


def test_probes_wait_for_each_other_and_the_slowest_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stand-ins that write down when each got ready, and when it began to measure."""
    stand_in = tmp_path / "stand_in.py"
    stand_in.write_text(STAND_IN)
    python = executable(tmp_path, f"exec {PYTHON} {stand_in} {tmp_path}")
    monkeypatch.setattr(sys, "executable", python)
    variant = PlannedVariant("base", "baseline", None, "yolox-nano")
    found = probe(variant, Training(None), "val", "cpu", 3)
    assert isinstance(found, Probe)
    written = [json.loads(path.read_text()) for path in tmp_path.glob("*.json")]
    assert len(written) == 3
    assert max(each["ready"] for each in written) <= min(each["measuring"] for each in written)
    assert found.step == max(each["step"] for each in written)


WAITING = """
import os, sys, time
sys.stdin.readline()
with open(f"{sys.argv[1]}/{os.getpid()}.pid", "w"):
    pass
time.sleep(60)
"""
ASKING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background
from yolox_attn.study.probe import probe
from yolox_attn.study.plan import PlannedVariant, Training
sys.executable = sys.argv[1]
probe(PlannedVariant("base", "baseline", None, "yolox-nano"), Training(None), "val", "cpu", 2)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whatever_ends_a_plan_ends_its_probes(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "waiting.py").write_text(WAITING)
    python = executable(tmp_path, f"exec {PYTHON} {tmp_path}/waiting.py {tmp_path}")
    asking = subprocess.Popen(
        [PYTHON, "-c", ASKING, python], stderr=subprocess.DEVNULL, start_new_session=True
    )
    while len(begun := list(tmp_path.glob("*.pid"))) < 2:
        assert asking.poll() is None
        time.sleep(0.05)
    asking.send_signal(number)
    asking.wait(30)
    left = [path.stem for path in begun if psutil.pid_exists(int(path.stem))]
    assert left == []


@pytest.mark.parametrize("count", [1, 3])
def test_a_process_that_ends_before_it_is_ready_is_a_reason_and_nothing_more(
    count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it was sent in vain must not come up again when its pipes are closed."""
    python = executable(tmp_path, "echo 'ValueError: no such thing' >&2; exit 3")
    monkeypatch.setattr(sys, "executable", python)
    variant = PlannedVariant("base", "baseline", None, "yolox-nano")
    for _ in range(10):
        found = probe(variant, Training(None), "val", "cpu", count)
        assert found == "no such thing (exit code 3)"
    monkeypatch.setattr(sys, "executable", str(tmp_path))
    assert probe(variant, Training(None), "val", "cpu").startswith("cannot be started")  # type: ignore[union-attr]


def test_the_answer_of_a_probe_is_its_last_line() -> None:
    answer = Probe(1.0, 1.0, 1.0, 1, 1, None, "cpu")
    assert answer_of(0, "hello\n" + json.dumps(vars(answer)) + "\n", "a warning") == answer
    err = "Traceback\n  ...\nyolox_attn.errors.InputError: no memory\n"
    assert answer_of(1, "", err) == "no memory (exit code 1)"
    assert answer_of(-9, "", "") == "it said nothing (exit code -9)"

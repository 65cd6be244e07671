import json
import subprocess
import sys
from pathlib import Path

import pytest
from planned import write_exp

from yolox_attn.study import estimate as probing
from yolox_attn.study.estimate import Probe, probe
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.sources import planned_variants


@pytest.fixture
def cam(tmp_path: Path) -> PlannedVariant:
    return planned_variants(write_exp(tmp_path, "base"), ["cam"], [])[1]


@pytest.fixture
def training(drawn: Path) -> Training:
    return Training(str(drawn), batch_size=4)


def test_a_run_is_startup_steps_and_evaluated_images() -> None:
    found = Probe(10.0, 0.5, 0.1, steps=30, images=100, memory=None, device="cpu")
    assert found.seconds == 10 + 15 + 10


@pytest.mark.slow
def test_it_answers_from_a_process_of_its_own(cam: PlannedVariant, training: Training) -> None:
    found = probe(cam, training, "val", "cpu")
    assert isinstance(found, Probe), found
    assert (found.steps, found.images) == (12, 5)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch):
    """Let the probe's process end in a given way."""

    def end(code: int, out: str = "", err: str = "") -> None:
        command = [sys.executable, "-c", "raise SystemExit"]
        done = subprocess.CompletedProcess(command, code, out, err)
        monkeypatch.setattr(probing.subprocess, "run", lambda *args, **options: done)

    return end


def test_a_probe_that_fails_says_why(cam: PlannedVariant, training: Training, ended) -> None:
    ended(1, err="Traceback\n  ...\nyolox_attn.errors.InputError: no memory\n")
    assert probe(cam, training, "val", "cpu") == "no memory (exit code 1)"
    ended(-9)
    assert probe(cam, training, "val", "cpu") == "it said nothing (exit code -9)"


def test_what_an_experiment_prints_is_no_answer(
    cam: PlannedVariant, training: Training, ended
) -> None:
    answer = Probe(1.0, 1.0, 1.0, 1, 1, None, "cpu")
    ended(0, out="hello\n" + json.dumps(vars(answer)) + "\n")
    assert probe(cam, training, "val", "cpu") == answer


def test_a_probe_that_hangs_is_given_up(
    cam: PlannedVariant, training: Training, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "LIMIT", 0.1)
    assert probe(cam, training, "val", "cpu") == "not done after 0.1 s"

import json
import subprocess
import sys
from pathlib import Path

import pytest
from planned import write_exp

from yolox_attn.core.schedule import Plan, describe_schedule
from yolox_attn.stats.verdict import Terms
from yolox_attn.study import estimate as probing
from yolox_attn.study.estimate import (
    Probe,
    detectable,
    duration,
    effect_lines,
    evaluations,
    needed,
    probe,
    wall_time,
)
from yolox_attn.study.plan import PlannedVariant, Training
from yolox_attn.study.sources import planned_variants


@pytest.mark.parametrize(
    ("epochs", "no_aug", "interval", "times"),
    [
        (5, 1, 1, 5),
        (5, 0, 10, 1),  # the last epoch alone is without mosaic
        (10, 2, 3, 5),  # 3 and 6; 8, 9, 10 without mosaic
        (10, 3, 4, 5),  # 4; 7, 8, 9, 10
        (300, 15, 10, 44),  # 10 ... 280; 285 ... 300
    ],
)
def test_evaluations_are_those_that_the_trainer_announces(
    epochs: int, no_aug: int, interval: int, times: int
) -> None:
    plan = Plan(epochs, 1, no_aug, steps=3, eval_interval=interval)
    assert evaluations(epochs, plan.first_plain_epoch, interval) == times
    assert describe_schedule(plan, lambda _: 0.1)[-1].split()[0] == str(times)


def test_wall_time_is_no_less_than_the_longest_run() -> None:
    assert wall_time([10, 20, 30], 1) == 60
    assert wall_time([10, 20, 30], 2) == 30
    assert wall_time([10, 20, 30], 9) == 30
    assert wall_time([], 2) == 0


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "a second"),
        (59, "59 seconds"),
        (600, "10 minutes"),
        (2 * 3600, "2.0 hours"),
        (60 * 3600, "2.5 days"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(("seeds", "times"), [(3, 3.26), (5, 1.68), (10, 1.00), (20, 0.66)])
def test_detectable_effects_are_those_of_the_literature(seeds: int, times: float) -> None:
    assert detectable(1.0, seeds, 1, Terms()) == pytest.approx(times, abs=0.01)


def test_more_blocks_need_larger_effects_and_more_seeds() -> None:
    terms = Terms(sesoi=0.3)
    assert detectable(1.0, 5, 6, terms) == pytest.approx(2.8, abs=0.05)
    assert needed(0.3, 1, terms) == 10
    assert (needed(0.3, 6, terms) or 0) > 10
    assert detectable(1.0, 5, 0, terms) == detectable(1.0, 5, 1, terms)  # of the noise alone


def test_one_figure_where_the_noise_is_known() -> None:
    line, _ = effect_lines(0.6, 3, 1, Terms())
    assert "SD 0.60 AP, 3 seeds find four times in five, a true difference of 2.0 AP" in line
    assert line.endswith("0.5 AP needs 14 seeds")
    assert "at Holm's first step among 4 blocks" in effect_lines(0.6, 3, 4, Terms())[0]


def test_a_table_where_it_is_not() -> None:
    lines = effect_lines(None, 3, 1, Terms(sesoi=0.3))
    rows = [line.split() for line in lines[3:7]]
    assert rows[0] == ["0.3", "1.0", "10"]
    assert [row[:2] for row in rows[1:]] == [["0.6", "2.0"], ["1.0", "3.3"], ["2.0", "6.5"]]


def test_one_seed_finds_nothing() -> None:
    assert effect_lines(0.6, 1, 1, Terms()) == effect_lines(None, 1, 1, Terms())
    assert "one seed finds none" in effect_lines(0.6, 1, 1, Terms())[0]


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

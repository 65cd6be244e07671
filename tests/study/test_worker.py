import os
import sys
from pathlib import Path

import pytest
from fake_study import events, fake_command, make_study

from yolox_attn.study.plan import Plan, Training
from yolox_attn.study.planned_run import Job, jobs, record_attempt, state_of
from yolox_attn.study.worker import Life, attempt_of, begin


def lived(plan: Plan, folder: Path, how: str = "finish") -> Life:
    job = jobs(plan, folder)[0]
    life = begin(plan, job, "cpu", fake_command(folder, {job.key: how}))
    life.process.wait(timeout=20)
    return life


def test_a_run_gets_the_plan_s_threads_and_a_log_that_begins_with_its_command(
    tmp_path: Path,
) -> None:
    plan = make_study(tmp_path, training=Training(data=None, threads=3))
    life = lived(plan, tmp_path)
    assert events(tmp_path)[0] == "start yolox_demo 0 threads 3"
    first, _, said = life.job.log.read_text().partition("\n")
    assert first.startswith(f"{life.started} {sys.executable} ")
    assert said == ""
    attempt = attempt_of(life)
    assert (attempt.variant, attempt.seed, attempt.work) == ("yolox_demo", 0, "train")
    assert (attempt.code, attempt.error, attempt.started) == (0, None, life.started)


def test_ctrl_c_does_not_reach_a_run_by_itself(tmp_path: Path) -> None:
    """It has a session of its own: the terminal signals only who started it."""
    plan = make_study(tmp_path)
    job = jobs(plan, tmp_path)[0]
    life = begin(plan, job, "cpu", fake_command(tmp_path, {job.key: "wait"}))
    try:
        assert os.getsid(life.process.pid) == life.process.pid
    finally:
        life.process.kill()
        life.process.wait(timeout=20)


def test_the_error_of_an_attempt_is_its_own(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    assert attempt_of(lived(plan, tmp_path, "refuse")).error == "no such thing"
    assert attempt_of(lived(plan, tmp_path, "fail")).error == "the loss is not finite"
    assert jobs(plan, tmp_path)[0].log.read_text().count("error: ") == 2


def test_how_an_older_attempt_ended_does_not_count(tmp_path: Path) -> None:
    """Trained is what a run of a test split shall be, though it had failed before."""
    plan = make_study(tmp_path, split="test")
    record_attempt(tmp_path, attempt_of(lived(plan, tmp_path, "refuse")))
    assert state_of(jobs(plan, tmp_path)[0]) == "failed"
    assert attempt_of(lived(plan, tmp_path)).error is None


def test_a_good_end_without_a_finished_run_is_a_failure(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    life = begin(plan, jobs(plan, tmp_path)[0], "cpu", lambda *_: [sys.executable, "-c", ""])
    life.process.wait(timeout=20)
    attempt = attempt_of(life)
    assert attempt.error == "train ended with exit code 0, but the run is missing"
    assert attempt.failed


@pytest.mark.parametrize("trained", [True, False])
def test_an_evaluation_of_an_older_training_does_not_count(tmp_path: Path, trained: bool) -> None:
    plan = make_study(tmp_path, split="test")
    job: Job = jobs(plan, tmp_path)[0]
    assert job.evaluation is not None
    if trained:
        assert attempt_of(lived(plan, tmp_path)).error is None
    job.evaluation.mkdir(parents=True)
    (job.evaluation / "evaluation.json").touch()
    life = lived(plan, tmp_path)
    assert life.work == ("evaluate" if trained else "train")
    assert (job.evaluation / "evaluation.json").exists() is trained

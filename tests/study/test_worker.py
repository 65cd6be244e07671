import os
import sys
from pathlib import Path

import pytest
from fake_study import events, fake_command, make_study

from yolox_attn.study.plan import Plan, Training
from yolox_attn.study.planned_run import planned_runs, record_attempt, state_of
from yolox_attn.study.worker import Worker, attempt_of, start_worker


def ended_worker(plan: Plan, folder: Path, how: str = "finish") -> Worker:
    """Let a process work for the study's first run, and wait for its end."""
    job = planned_runs(plan, folder)[0]
    worker = start_worker(plan, job, "cpu", fake_command(folder, {job.key: how}))
    worker.process.wait(timeout=20)
    return worker


def test_a_run_gets_the_plan_s_threads_and_a_log_that_begins_with_its_command(
    tmp_path: Path,
) -> None:
    plan = make_study(tmp_path, training=Training(data=None, threads=3))
    worker = ended_worker(plan, tmp_path)
    assert events(tmp_path)[0] == "start yolox_demo 0 threads 3"
    first, _, rest = worker.job.log.read_text().partition("\n")
    assert first.startswith(f"{worker.started} {sys.executable} ")
    assert rest == ""
    attempt = attempt_of(worker)
    assert (attempt.variant, attempt.seed, attempt.work) == ("yolox_demo", 0, "train")
    assert (attempt.code, attempt.error, attempt.started) == (0, None, worker.started)


def test_ctrl_c_does_not_reach_a_run_by_itself(tmp_path: Path) -> None:
    """It has a session of its own: the terminal signals only who started it."""
    plan = make_study(tmp_path)
    job = planned_runs(plan, tmp_path)[0]
    worker = start_worker(plan, job, "cpu", fake_command(tmp_path, {job.key: "wait"}))
    try:
        assert os.getsid(worker.process.pid) == worker.process.pid
    finally:
        worker.process.kill()
        worker.process.wait(timeout=20)


def test_the_error_of_an_attempt_is_its_own(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    assert attempt_of(ended_worker(plan, tmp_path, "refuse")).error == "no such thing"
    assert attempt_of(ended_worker(plan, tmp_path, "fail")).error == "the loss is not finite"
    assert planned_runs(plan, tmp_path)[0].log.read_text().count("error: ") == 2


def test_how_an_older_attempt_ended_does_not_count(tmp_path: Path) -> None:
    """Trained is what a run of a test split shall be, though it had failed before."""
    plan = make_study(tmp_path, split="test")
    record_attempt(tmp_path, attempt_of(ended_worker(plan, tmp_path, "refuse")))
    assert state_of(planned_runs(plan, tmp_path)[0]) == "failed"
    assert attempt_of(ended_worker(plan, tmp_path)).error is None


def test_a_good_end_without_a_finished_run_is_a_failure(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    job = planned_runs(plan, tmp_path)[0]
    worker = start_worker(plan, job, "cpu", lambda *_: [sys.executable, "-c", ""])
    worker.process.wait(timeout=20)
    attempt = attempt_of(worker)
    assert attempt.error == "train ended with exit code 0, but the run is missing"
    assert attempt.failed


@pytest.mark.parametrize("trained", [True, False])
def test_an_evaluation_of_an_older_training_does_not_count(tmp_path: Path, trained: bool) -> None:
    plan = make_study(tmp_path, split="test")
    job = planned_runs(plan, tmp_path)[0]
    assert job.evaluation is not None
    if trained:
        assert attempt_of(ended_worker(plan, tmp_path)).error is None
    job.evaluation.mkdir(parents=True)
    (job.evaluation / "evaluation.json").touch()
    worker = ended_worker(plan, tmp_path)
    assert worker.work == ("evaluate" if trained else "train")
    assert (job.evaluation / "evaluation.json").exists() is trained

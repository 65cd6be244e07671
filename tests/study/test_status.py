import dataclasses
import json
from pathlib import Path

import pytest
from fake_study import make_study
from run_folders import make_record

from yolox_attn.runs import append_metrics, hold, write_record
from yolox_attn.study.plan import Plan
from yolox_attn.study.planned_run import (
    Attempt,
    PlannedRun,
    planned_runs,
    record_attempt,
    state_of,
)
from yolox_attn.study.status import end_line, next_step, seconds_left, start_line, status_text


def leave(job: PlannedRun, **changes: object) -> None:
    record = make_record("any", job.seed, 0.412)  # of three epochs
    write_record(job.folder, dataclasses.replace(record, **changes))


def test_every_run_has_its_place_in_the_table(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    base, placebo, cam, base1, placebo1, _ = planned_runs(plan, tmp_path)
    leave(base)
    leave(placebo, state="interrupted", epoch=2)
    leave(cam, state="failed", error="TrainingError: not finite")
    leave(base1, state="running", epoch=1)
    leave(placebo1, stopped_early={"epoch": 3})
    with hold(base1.folder):
        before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
        text = status_text(tmp_path)
        assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    rows = {line.split("  ")[0]: line for line in text.splitlines()}
    assert plan.hash[:12] in text.splitlines()[0]
    assert plan.created in text.splitlines()[0]
    assert rows["yolox_demo"].split("  ")[-1].strip() == "running, 1 of 3 epochs"
    assert "AP 41.2" in rows["yolox_demo"]
    assert "interrupted after 2 of 3 epochs" in rows["placebo"]
    assert "AP 41.2, ended at epoch 3" in rows["placebo"]
    assert rows["yolox_demo_cam"].split() == ["yolox_demo_cam", "failed", "missing"]
    assert "2 of 6 runs finished, 1 running, 1 interrupted, 1 failed, 1 missing" in text
    why = "failed: yolox_demo_cam seed 0: TrainingError: not finite; log: "
    assert f"{why}{tmp_path.resolve()}/logs/yolox_demo_cam_seed0.log" in text
    assert "placebo seed 1 was ended by its validation split after epoch 3 (patience)" in text
    assert text.endswith(f"next: yolox-attn study run {tmp_path}")


def test_what_cannot_be_judged_is_named(tmp_path: Path) -> None:
    leave(planned_runs(make_study(tmp_path), tmp_path)[0], metrics={})
    text = status_text(tmp_path)
    assert "no AP" in text
    assert "note: yolox_demo seed 0 has no AP: the report will leave it out" in text


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"metrics": 3}', "evaluation.json: not an evaluation"),
        ("{", "evaluation.json: cannot be read as JSON"),
    ],
)
def test_a_broken_evaluation_is_named(tmp_path: Path, content: str, fault: str) -> None:
    job = planned_runs(make_study(tmp_path, split="test"), tmp_path)[0]
    leave(job)
    assert "trained, not evaluated" in status_text(tmp_path)
    assert job.evaluation is not None
    job.evaluation.mkdir()
    (job.evaluation / "evaluation.json").write_text(content)
    assert fault in status_text(tmp_path)


@pytest.mark.parametrize(
    ("states", "words"),
    [
        (["finished", "finished"], "study report S"),
        (["finished", "failed"], "study run S --retry"),
        (["finished", "running"], "wait for what is running"),
        (["failed", "missing"], "study run S"),
        (["trained", "killed"], "study run S"),
        (["finished", "unreadable"], "fix what cannot be read (see above), then"),
        (["failed", "unreadable", "missing"], "fix what cannot be read (see above), then"),
    ],
)
def test_the_next_step(states: list[str], words: str) -> None:
    assert words in next_step(Path("S"), states)


def test_what_cannot_be_read_is_not_to_be_retried(tmp_path: Path) -> None:
    own, added, *_ = planned_runs(make_study(tmp_path), tmp_path)
    own.folder.mkdir(parents=True)
    (own.folder / "run.json").write_text('{"schema": 99}')
    entry = {"folder": str(tmp_path / "gone"), "record_sha256": "ab"}
    (tmp_path / "added.json").write_text(json.dumps({added.key: entry}))
    text = status_text(tmp_path)
    assert "0 of 6 runs finished, 2 unreadable, 4 missing" in text
    assert f"; fix it, or move {own.folder} away to train the run anew" in text
    assert f"put it back as it was, or take {added.key} out of the study's added.json" in text
    assert "--retry" not in text


def left_of(plan: Plan, folder: Path, slots: int = 1) -> float | None:
    jobs = planned_runs(plan, folder)
    return seconds_left(plan, jobs, [state_of(job) for job in jobs], slots)


def test_what_is_left_takes_what_the_same_variant_took(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    base, _, cam, base1, *_ = planned_runs(plan, tmp_path)
    assert left_of(plan, tmp_path) is None
    leave(base, seconds=90.0)
    leave(cam, seconds=300.0)
    placebo = (90 + 300) / 2  # nothing is known of it: what the others took
    assert left_of(plan, tmp_path) == placebo + 90 + placebo + 300
    assert left_of(plan, tmp_path, slots=9) == 300  # the longest goes on alone
    leave(base1, state="running", epoch=1, seconds=30.0)
    placebo = 3 * (90 + 300 + 30) / 7  # epochs
    with hold(base1.folder):
        assert left_of(plan, tmp_path) == pytest.approx(placebo + 60 + placebo + 300)


def test_before_anything_is_known_the_probe_s_word_counts(tmp_path: Path) -> None:
    seconds = {"yolox_demo": 50.0, "placebo": 60.0, "yolox_demo_cam": 70.0}
    plan = make_study(tmp_path, expected={"seconds_of_a_run": seconds})
    assert left_of(plan, tmp_path) == 2 * (50 + 60 + 70)
    slower = make_study(
        tmp_path / "2", expected={"seconds_of_a_run": seconds, "slowdown": {"2": 1.5}}
    )
    assert left_of(slower, tmp_path / "2", slots=2) == 1.5 * (50 + 60 + 70)
    leave(planned_runs(plan, tmp_path)[0], seconds=90.0)
    assert left_of(plan, tmp_path) == 90 + 2 * (60 + 70)


def test_an_end_is_reported_with_its_ap_and_with_what_is_left(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(0,))
    jobs = planned_runs(plan, tmp_path)
    leave(jobs[0], seconds=92.0)
    assert end_line(plan, jobs[0], jobs, 1) == (
        "[1/3] yolox_demo seed 0 finished: AP 41.2, 92 s; 2 to go, about 3.1 min left"
    )
    record_attempt(tmp_path, Attempt("placebo", 0, "train", "then", "now", 2, "no data"))
    jobs = planned_runs(plan, tmp_path)
    leave(jobs[2], seconds=92.0)
    both = end_line(plan, jobs[1], jobs, 2, {jobs[2].key})  # of two that ended at once the first
    assert both.startswith("[2/3] placebo seed 0 failed: no data; 1 to go")
    assert end_line(plan, jobs[1], jobs, 1) == "[3/3] placebo seed 0 failed: no data"
    (jobs[2].folder / "run.json").write_text("{")
    line = end_line(plan, jobs[2], jobs, 1)
    assert line.startswith("[3/3] yolox_demo_cam seed 0 unreadable: ")


def test_a_run_that_was_still_climbing_is_said_to_be(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(0,))
    jobs = planned_runs(plan, tmp_path)
    leave(jobs[0], seconds=92.0)
    for epoch, ap in ((1, 0.1), (2, 0.4)):
        append_metrics(jobs[0].folder, {"epoch": epoch, "AP": ap})
    line = end_line(plan, jobs[0], jobs, 1)
    assert "92 s, still climbing when it ended: +30.0 AP in its last epoch; 2 to go" in line


def test_a_start_says_where_the_run_goes_on(tmp_path: Path) -> None:
    job = planned_runs(make_study(tmp_path), tmp_path)[0]
    assert start_line(job, "train", resumed=False) == "yolox_demo seed 0 starts"
    leave(job, state="interrupted", epoch=2)
    assert start_line(job, "train", resumed=True) == "yolox_demo seed 0 goes on after epoch 2"
    assert start_line(job, "train", resumed=False) == "yolox_demo seed 0 starts"
    assert start_line(job, "evaluate", resumed=False) == "yolox_demo seed 0 is evaluated on test"

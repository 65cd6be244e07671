import dataclasses
import json
import os
import platform
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from fake_study import make_study
from run_folders import make_record

from yolox_attn.errors import InputError
from yolox_attn.runs import file_hash, hold, write_record
from yolox_attn.study.planned_run import (
    Attempt,
    PlannedRun,
    error_of,
    metrics_of,
    planned_runs,
    read_added,
    read_attempts,
    reason_of,
    record_attempt,
    record_of,
    state_of,
)

# As versions before the second layout wrote them.
OLD_ATTEMPTS = """\
{"variant": "yolox_demo", "seed": 0, "work": "train", "started": "2026-01-02T03:05:00+00:00", \
"ended": "2026-01-02T03:06:00+00:00", "code": 2, "error": "no data"}
{"variant": "placebo", "seed": 0, "work": "evaluate", "started": "2026-01-02T03:06:00+00:00", \
"ended": "2026-01-02T03:07:00+00:00", "code": 0, "error": null}
"""
OLD_ADDED = '{"yolox_demo/seed1": {"folder": "/elsewhere/seed1", "record_sha256": "ab"}}'


@pytest.fixture
def first(tmp_path: Path) -> Callable[..., PlannedRun]:
    """A function that returns the study's first run, after an attempt if a code is given."""
    plan = make_study(tmp_path)

    def get(code: int | None = None, error: str | None = None) -> PlannedRun:
        if code is not None:
            record_attempt(tmp_path, attempt(code, error))
        return planned_runs(plan, tmp_path)[0]

    return get


def attempt(code: int, error: str | None = None) -> Attempt:
    return Attempt("yolox_demo", 0, "train", "then", "now", code, error)


def leave(job: PlannedRun, **changes: object) -> None:
    write_record(job.folder, dataclasses.replace(make_record("any", 0, 0.4), **changes))


def test_pairs_stay_together(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(3, 1))
    names = ["yolox_demo", "placebo", "yolox_demo_cam"]
    jobs = planned_runs(plan, tmp_path)
    assert [(job.seed, job.variant.name) for job in jobs] == [
        (seed, name) for seed in (3, 1) for name in names
    ]


def test_a_run_lies_in_a_folder_of_its_name(
    tmp_path: Path, first: Callable[..., PlannedRun]
) -> None:
    job = first()
    assert job.folder == tmp_path.resolve() / "runs/yolox_demo/seed0"
    assert job.evaluation is None
    assert job.log == tmp_path.resolve() / "logs/yolox_demo_seed0.log"


@pytest.mark.parametrize("state", ["finished", "interrupted", "failed"])
def test_the_state_is_that_of_the_record(first: Callable[..., PlannedRun], state: str) -> None:
    job = first()
    assert state_of(job) == "missing"
    leave(job, state=state, error="it\nbroke")
    assert state_of(job) == state
    assert reason_of(job) == ("it\\nbroke" if state == "failed" else "")


def test_who_holds_the_folder_is_running_with_or_without_a_record(
    first: Callable[..., PlannedRun],
) -> None:
    job = first()
    job.folder.mkdir(parents=True)
    with hold(job.folder):
        assert state_of(job) == "running"
        leave(job, state="running")
        assert state_of(job) == "running"
    assert state_of(job) == "killed"


def test_without_locks_a_process_that_is_gone_is_seen_by_its_number(
    first: Callable[..., PlannedRun],
) -> None:
    job, here, gone = first(), platform.node(), 2**22 + 1
    for host, pid, state in (
        (here, os.getpid(), "running"),
        (here, gone, "killed"),
        ("elsewhere", gone, "running"),
    ):
        leave(job, state="running", host=host, pid=pid)
        assert state_of(job) == state


def test_a_run_that_failed_before_its_record_stays_failed(
    first: Callable[..., PlannedRun],
) -> None:
    job = first(2, "no such file")
    assert (state_of(job), reason_of(job)) == ("failed", "no such file")


@pytest.mark.parametrize("code", [75, 130, -9, -15])
def test_a_run_that_was_stopped_did_not_fail(first: Callable[..., PlannedRun], code: int) -> None:
    job = first(code, "ended by somebody")
    assert state_of(job) == "missing"
    leave(job, state="interrupted")
    assert state_of(job) == "interrupted"


@pytest.mark.parametrize("code", [1, 2, -signal.SIGSEGV, -40])
def test_a_resuming_that_failed_is_a_failure(first: Callable[..., PlannedRun], code: int) -> None:
    job = first(code, "no readable checkpoint")
    leave(job, state="interrupted")
    assert (state_of(job), reason_of(job)) == ("failed", "no readable checkpoint")
    leave(job, state="finished")  # by hand
    assert (state_of(job), reason_of(job)) == ("finished", "")


@pytest.mark.parametrize(
    ("content", "reason"),
    [("{", "cannot be read as JSON"), ('{"schema": 99}', "schema 99; this v")],
)
def test_a_record_that_cannot_be_read_is_no_failure(
    first: Callable[..., PlannedRun], content: str, reason: str
) -> None:
    job = first(2, "an older attempt")
    job.folder.mkdir(parents=True)
    (job.folder / "run.json").write_text(content)
    assert state_of(job) == "unreadable"
    assert reason in reason_of(job)


def test_a_record_that_the_disk_does_not_give_is_there_all_the_same(
    tmp_path: Path, first: Callable[..., PlannedRun]
) -> None:
    job = first()
    job.folder.mkdir(parents=True)
    (job.folder / "run.json").symlink_to("gone.json")
    assert state_of(job) == "unreadable"
    too_long = {"folder": f"/{'x' * 300}", "record_sha256": "ab"}
    (tmp_path / "added.json").write_text(json.dumps({job.key: too_long}))
    assert state_of(first()) == "unreadable"
    assert "run.json: cannot be read: " in reason_of(first())


def test_the_test_split_is_part_of_the_run(tmp_path: Path) -> None:
    plan = make_study(tmp_path, split="test")
    job = planned_runs(plan, tmp_path)[0]
    leave(job)
    assert state_of(job) == "trained"
    assert job.evaluation == job.folder / "eval_test"
    job.evaluation.mkdir()
    (job.evaluation / "figures.json").write_text('{"figures": {"AP": 0.1}}')
    assert state_of(job) == "trained"  # an evaluation of an older version is made anew
    (job.evaluation / "evaluation.json").write_text('{"metrics": {"AP": 0.1}}')
    assert state_of(job) == "finished"
    assert metrics_of(job) == {"AP": 0.1}


def test_an_added_run_is_where_it_was_made_until_it_changes(
    tmp_path: Path, first: Callable[..., PlannedRun]
) -> None:
    folder = tmp_path / "elsewhere"
    write_record(folder, make_record("by_hand", 0, 0.4))
    entry = {"folder": str(folder), "record_sha256": file_hash(folder / "run.json")}
    (tmp_path / "added.json").write_text(json.dumps({"yolox_demo/seed0": entry}))
    job = first()
    assert (job.folder, state_of(job)) == (folder, "finished")
    record = record_of(job)
    assert record is not None
    assert record.name == "yolox_demo"
    write_record(folder, make_record("by_hand", 0, 0.5))
    assert state_of(job) == "unreadable"
    assert reason_of(job) == f"{folder} was changed after it was added to the study"


def test_a_broken_list_of_added_runs_is_refused(
    tmp_path: Path, first: Callable[..., PlannedRun]
) -> None:
    (tmp_path / "added.json").write_text('{"yolox_demo/seed0": 3}')
    with pytest.raises(InputError, match=r"added\.json: not a list of added runs"):
        first()


def test_every_attempt_is_a_line_and_what_is_none_is_named(tmp_path: Path) -> None:
    assert read_attempts(tmp_path) == []
    for code in (1, 0):
        record_attempt(tmp_path, attempt(code))
    assert read_attempts(tmp_path) == [attempt(1), attempt(0)]
    with (tmp_path / "attempts.jsonl").open("a") as file:
        file.write('{"variant": "x"}\n')
    with pytest.raises(InputError, match="line 3: not an attempt"):
        read_attempts(tmp_path)


def test_the_files_of_an_older_version_are_read(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    (tmp_path / "attempts.jsonl").write_text(OLD_ATTEMPTS)
    (tmp_path / "added.json").write_text(OLD_ADDED)
    assert [(each.code, each.error) for each in read_attempts(tmp_path)] == [
        (2, "no data"),
        (0, None),
    ]
    assert read_added(tmp_path)["yolox_demo/seed1"].record_sha256 == "ab"
    jobs = {job.key: job for job in planned_runs(plan, tmp_path)}
    assert reason_of(jobs["yolox_demo/seed0"]) == "no data"
    assert jobs["yolox_demo/seed1"].folder == Path("/elsewhere/seed1")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("loading\nerror: no data: give --data\n", "no data: give --data"),
        ("Traceback\n  x\nKeyError: 'a'\nafterwards\n", "KeyError: 'a'"),
        ("error: first\nmore\nerror: second\n", "second"),
        ("nothing known\n\n", "nothing known"),
        ("", "exit code 1, and it said nothing"),
    ],
)
def test_the_log_says_why(tmp_path: Path, text: str, error: str) -> None:
    log = tmp_path / "log"
    before = "error: of an older attempt\n"
    log.write_text(before + text)
    assert error_of(1, log, len(before)) == error


@pytest.mark.parametrize(
    ("code", "error"),
    [(-9, "ended by SIGKILL"), (-40, "ended by signal 40"), (0, None)],
)
def test_a_signal_is_named_and_a_good_end_has_no_error(
    tmp_path: Path, code: int, error: str | None
) -> None:
    """A real-time signal has no name of its own."""
    assert error_of(code, tmp_path / "none", 0) == error


def test_a_long_error_is_cut_and_only_the_log_s_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("error: early\n" + "x\n" * 100_000 + "error: " + "y" * 1000)
    error = error_of(1, log, 0)
    assert error is not None
    assert set(error) == {"y"}
    assert len(error) <= 300

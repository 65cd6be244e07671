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
from yolox_attn.runs import hold, write_record
from yolox_attn.runs.codec import file_hash
from yolox_attn.study.plan import Plan
from yolox_attn.study.planned_run import (
    Attempt,
    Job,
    error_of,
    metrics_of,
    jobs,
    read_attempts,
    reason_of,
    record_attempt,
    record_of,
    state_of,
)


@pytest.fixture
def first(tmp_path: Path) -> Callable[..., Job]:
    """A function that returns the study's first run, after an attempt if a code is given."""
    plan = make_study(tmp_path)

    def get(code: int | None = None, error: str | None = None, plan: Plan = plan) -> Job:
        if code is not None:
            attempt = Attempt("yolox_demo", 0, "train", "then", "now", code, error)
            record_attempt(tmp_path, attempt)
        return jobs(plan, tmp_path)[0]

    return get


def leave(job: Job, **changes: object) -> None:
    write_record(job.folder, dataclasses.replace(make_record("any", 0, 0.4), **changes))


def test_pairs_stay_together(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(3, 1))
    names = ["yolox_demo", "placebo", "yolox_demo_cam"]
    found = [(job.seed, job.variant.name) for job in jobs(plan, tmp_path)]
    assert found == [(seed, name) for seed in (3, 1) for name in names]


def test_a_run_lies_in_a_folder_of_its_name(tmp_path: Path, first: Callable[..., Job]) -> None:
    job = first()
    assert job.folder == tmp_path.resolve() / "runs/yolox_demo/seed0"
    assert job.evaluation is None
    assert job.log.name == "yolox_demo_seed0.log"


@pytest.mark.parametrize("state", ["finished", "interrupted", "failed"])
def test_the_record_tells_the_state(first: Callable[..., Job], state: str) -> None:
    job = first()
    assert state_of(job) == "missing"
    leave(job, state=state, error="it broke")
    assert state_of(job) == state
    assert reason_of(job) == ("it broke" if state == "failed" else "")


def test_who_holds_the_folder_is_running_with_or_without_a_record(
    first: Callable[..., Job],
) -> None:
    job = first()
    job.folder.mkdir(parents=True)
    with hold(job.folder):
        assert state_of(job) == "running"
        leave(job, state="running")
        assert state_of(job) == "running"
    assert state_of(job) == "killed"


def test_without_locks_a_process_that_is_gone_is_seen_by_its_number(
    first: Callable[..., Job],
) -> None:
    job = first()
    leave(job, state="running", host=platform.node(), pid=os.getpid())
    assert state_of(job) == "running"
    leave(job, state="running", host=platform.node(), pid=2**22 + 1)
    assert state_of(job) == "killed"
    leave(job, state="running", host="elsewhere", pid=2**22 + 1)
    assert state_of(job) == "running"


def test_a_run_that_failed_before_its_record_stays_failed(first: Callable[..., Job]) -> None:
    job = first(2, "no such file")
    assert (state_of(job), reason_of(job)) == ("failed", "no such file")


@pytest.mark.parametrize("code", [75, 130, -9, -15])
def test_a_run_that_was_stopped_did_not_fail(first: Callable[..., Job], code: int) -> None:
    job = first(code, "ended by somebody")
    assert state_of(job) == "missing"
    leave(job, state="interrupted")
    assert state_of(job) == "interrupted"


def test_a_resuming_that_failed_is_a_failure(first: Callable[..., Job]) -> None:
    job = first(2, "no readable checkpoint")
    leave(job, state="interrupted")
    assert (state_of(job), reason_of(job)) == ("failed", "no readable checkpoint")
    leave(job, state="finished")  # by hand
    assert (state_of(job), reason_of(job)) == ("finished", "")


@pytest.mark.parametrize(
    ("content", "told"), [("{", "cannot be read as JSON"), ('{"schema": 99}', "schema 99; this v")]
)
def test_a_record_that_cannot_be_read_is_no_failure(
    first: Callable[..., Job], content: str, told: str
) -> None:
    job = first(2, "an older attempt")
    job.folder.mkdir(parents=True)
    (job.folder / "run.json").write_text(content)
    assert state_of(job) == "unreadable"
    assert told in reason_of(job)


def test_a_record_that_the_disk_does_not_give_is_there_all_the_same(
    first: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    leave(job := first())

    def refuse(_: Path) -> None:
        raise PermissionError("not for you")

    monkeypatch.setattr("yolox_attn.study.planned_run.read_record", refuse)
    assert (state_of(job), "not for you" in reason_of(job)) == ("unreadable", True)


def test_a_record_whose_link_leads_nowhere_is_there_all_the_same(
    first: Callable[..., Job],
) -> None:
    job = first()
    job.folder.mkdir(parents=True)
    (job.folder / "run.json").symlink_to("gone.json")
    assert state_of(job) == "unreadable"


def test_the_test_split_is_part_of_the_run(tmp_path: Path) -> None:
    plan = make_study(tmp_path, split="test")
    job = jobs(plan, tmp_path)[0]
    leave(job)
    assert state_of(job) == "trained"
    assert job.evaluation == job.folder / "eval_test"
    job.evaluation.mkdir()
    (job.evaluation / "evaluation.json").write_text(json.dumps({"metrics": {"AP": 0.1}}))
    assert state_of(job) == "finished"
    assert metrics_of(job) == {"AP": 0.1}


def test_an_added_run_is_where_it_was_made_until_it_changes(
    tmp_path: Path, first: Callable[..., Job]
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


def test_a_broken_list_of_added_runs_is_told(tmp_path: Path, first: Callable[..., Job]) -> None:
    (tmp_path / "added.json").write_text('{"yolox_demo/seed0": 3}')
    with pytest.raises(InputError, match=r"added\.json: not a list of added runs"):
        first()


def attempt(code: int, error: str | None = None) -> Attempt:
    return Attempt("yolox_demo", 0, "train", "then", "now", code, error)


def test_every_attempt_is_a_line(tmp_path: Path) -> None:
    assert read_attempts(tmp_path) == []
    for code in (1, 0):
        record_attempt(tmp_path, attempt(code))
    assert read_attempts(tmp_path) == [attempt(1), attempt(0)]
    assert len((tmp_path / "attempts.jsonl").read_text().splitlines()) == 2


def test_a_line_that_is_no_attempt_is_named(tmp_path: Path) -> None:
    record_attempt(tmp_path, attempt(0))
    with (tmp_path / "attempts.jsonl").open("a") as file:
        file.write('{"variant": "x"}\n')
    with pytest.raises(InputError, match="line 2: not an attempt"):
        read_attempts(tmp_path)


@pytest.mark.parametrize(
    ("code", "failed"), [(1, True), (2, True), (-signal.SIGSEGV, True), (75, False), (-9, False)]
)
def test_what_was_stopped_did_not_fail(code: int, failed: bool) -> None:
    assert attempt(code, "why").failed is failed


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("loading\nerror: no data: give --data\n", "no data: give --data"),
        ("Traceback\n  x\nKeyError: 'a'\nafterwards\n", "KeyError: 'a'"),
        ("error: first\nmore\nerror: second\n", "second"),
        ("nothing known\n\n", "nothing known"),
        ("", "exit code 1, and it said nothing"),
    ],
)
def test_the_log_tells_why(tmp_path: Path, text: str, told: str) -> None:
    log = tmp_path / "log"
    before = "error: of an older attempt\n"
    log.write_text(before + text)
    assert error_of(1, log, len(before)) == told


def test_a_signal_is_named_and_a_good_end_has_no_error(tmp_path: Path) -> None:
    assert error_of(-9, tmp_path / "none", 0) == "ended by SIGKILL"
    assert error_of(0, tmp_path / "none", 0) is None


def test_a_long_error_is_cut_and_only_the_log_s_end_is_read(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("error: early\n" + "x\n" * 100_000 + "error: " + "y" * 1000)
    told = error_of(1, log, 0)
    assert told is not None
    assert set(told) == {"y"}
    assert len(told) <= 300

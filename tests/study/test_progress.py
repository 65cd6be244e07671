import dataclasses
from pathlib import Path

import pytest
from fake_study import make_study
from run_folders import make_record

from yolox_attn.runs import write_record
from yolox_attn.study.planned_run import Attempt, Job, jobs, record_attempt
from yolox_attn.study.status import end_line, seconds_left, start_line


def leave(job: Job, **changes: object) -> None:
    record = make_record("any", job.seed, 0.412)  # of three epochs
    write_record(job.folder, dataclasses.replace(record, **changes))


def test_what_is_left_takes_what_the_same_variant_took(tmp_path: Path) -> None:
    plan = make_study(tmp_path)
    base, placebo, cam, base1, placebo1, cam1 = jobs(plan, tmp_path)
    assert seconds_left(plan, [base1], [], 1) is None
    leave(base, seconds=90.0)
    leave(cam, seconds=300.0)
    assert seconds_left(plan, [base1], [base, cam], 1) == 90
    assert seconds_left(plan, [cam1], [base, cam], 1) == 300
    assert seconds_left(plan, [placebo], [base, cam], 1) == (90 + 300) / 2
    assert seconds_left(plan, [base1, cam1], [base, cam], 1) == 390
    assert seconds_left(plan, [base1, cam1], [base, cam], 2) == 300  # the longest stands alone
    leave(base1, state="running", epoch=1, seconds=30.0)
    assert seconds_left(plan, [base1], [base, cam], 1) == pytest.approx(60)
    leave(placebo1, state="failed", epoch=2, seconds=60.0)  # starts anew
    assert seconds_left(plan, [placebo1], [base], 1) == pytest.approx(90)


def test_before_anything_is_known_the_probe_s_word_counts(tmp_path: Path) -> None:
    plan = make_study(tmp_path, expected={"seconds_of_a_run": {"yolox_demo": 50.0}})
    base, _, _, base1, *_ = jobs(plan, tmp_path)
    assert seconds_left(plan, [base, base1], [], 1) == 100
    leave(base, seconds=90.0)
    assert seconds_left(plan, [base1], [base], 1) == 90


def test_an_end_is_told_with_its_ap_and_with_what_is_left(tmp_path: Path) -> None:
    plan = make_study(tmp_path, seeds=(0,))
    every = jobs(plan, tmp_path)
    leave(every[0], seconds=92.0)
    assert end_line(plan, every[0], every, 1) == (
        "[1/3] yolox_demo seed 0 finished: AP 41.2, 2 minutes; 2 to go, about 3 minutes left"
    )
    record_attempt(tmp_path, Attempt("placebo", 0, "train", "then", "now", 2, "no data"))
    every = jobs(plan, tmp_path)
    leave(every[2], seconds=92.0)
    assert end_line(plan, every[1], every, 1) == "[3/3] placebo seed 0 failed: no data"


def test_a_start_says_where_the_run_goes_on(tmp_path: Path) -> None:
    job = jobs(make_study(tmp_path), tmp_path)[0]
    assert start_line(job, "train", resumed=False) == "yolox_demo seed 0 starts"
    leave(job, state="interrupted", epoch=2)
    assert start_line(job, "train", resumed=True) == "yolox_demo seed 0 goes on after epoch 2"
    assert start_line(job, "train", resumed=False) == "yolox_demo seed 0 starts"
    assert start_line(job, "evaluate", resumed=False) == "yolox_demo seed 0 is evaluated on test"

import signal
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.study.planned_run import Attempt, error_of, read_attempts, record_attempt


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

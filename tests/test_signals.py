"""A signal is a request, granted at once only where nothing can be lost."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from yolox_attn import signals as stopping
from yolox_attn.errors import Interrupted
from yolox_attn.signals import StopRequest, handled, signal_name, unwinding


@pytest.fixture(autouse=True)
def in_the_foreground() -> Iterator[None]:
    """A shell starts its background jobs with Ctrl-C ignored; these tests have it as usual."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_noted_and_nothing_ends_by_it(number: signal.Signals) -> None:
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), number)
        os.kill(os.getpid(), number)  # a launcher passes on what the process group has already got
    assert stop.signal == number.name


def test_a_later_ctrl_c_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "SAME_REQUEST", -1.0)
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_evaluation_ends_at_once() -> None:
    stop = StopRequest()
    with stop.listening(), pytest.raises(Interrupted, match="SIGTERM"), stop.at_once():
        os.kill(os.getpid(), signal.SIGTERM)
        pytest.fail("the evaluation went on")


def test_an_evaluation_is_not_begun_after_a_request() -> None:
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Interrupted), stop.at_once():
            pytest.fail("the evaluation began")


def test_the_handlers_of_before_are_put_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(ValueError, match="oops"), StopRequest().listening():
        assert signal.getsignal(signal.SIGTERM) != before
        raise ValueError("oops")
    assert signal.getsignal(signal.SIGTERM) == before


def test_in_another_thread_signals_keep_their_meaning() -> None:
    seen = []

    def listen() -> None:
        with StopRequest().listening():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=listen)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]


def test_a_job_in_the_background_goes_on_ignoring_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop = StopRequest()
    with stop.listening():
        os.kill(os.getpid(), signal.SIGINT)
    assert stop.signal is None


def test_a_child_that_ends_interrupts_nothing() -> None:
    """torch raises from its handler when a loading worker is gone; inside, nothing may."""

    def raises(*_: object) -> None:
        raise RuntimeError("a worker was killed")

    before = signal.signal(signal.SIGCHLD, raises)
    try:
        with StopRequest().listening():
            os.kill(os.getpid(), signal.SIGCHLD)
        assert signal.getsignal(signal.SIGCHLD) is raises
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_a_real_time_signal_has_a_name_too() -> None:
    between = signal.SIGRTMIN + 1
    assert [signal_name(number) for number in (15, between)] == ["SIGTERM", f"signal {between}"]
    heard: list[str] = []
    with handled(lambda number, _: heard.append(signal_name(number)), [between]):
        os.kill(os.getpid(), between)
    assert heard == [f"signal {between}"]


UNWOUND = """
import signal, sys, time
from pathlib import Path
from yolox_attn.runs import scratch_folder
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a job in the background,
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and under nohup
with scratch_folder(Path(sys.argv[1])) as folder:
    (folder / "half a file").write_text("...")
    print("making", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_what_ends_the_process_takes_its_folder_with_it(
    number: signal.Signals, tmp_path: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", UNWOUND, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "making\n"
    assert list(tmp_path.iterdir()) != []
    process.send_signal(number)
    code = process.wait(20)
    process.stdout.close()
    assert code == (-2 if number is signal.SIGINT else 128 + number)
    assert list(tmp_path.iterdir()) == []


def test_who_listens_to_a_signal_goes_on_hearing_it() -> None:
    heard: list[int] = []
    with handled(lambda number, _: heard.append(number)), unwinding():
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [signal.SIGTERM]
    with unwinding():
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

import errno
import multiprocessing
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.runs import folder as lock
from yolox_attn.runs import held, hold
from yolox_attn.runs.folder import is_mine

HOLDER = """
import sys, time
from pathlib import Path
from yolox_attn.runs import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def holder(folder: Path) -> subprocess.Popen[str]:
    """A process that holds `folder`."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_process_is_refused_until_the_first_is_killed(tmp_path: Path) -> None:
    process = holder(tmp_path)
    assert held(tmp_path)
    assert not is_mine(tmp_path)
    with pytest.raises(InputError, match="another process is training there"), hold(tmp_path):
        pass
    with pytest.raises(InputError, match=r"is busy\.$"), hold(tmp_path, busy="is busy."):
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert held(tmp_path) is False
    with hold(tmp_path):
        assert held(tmp_path)
        assert is_mine(tmp_path)
    assert held(tmp_path) is False


def test_without_a_lock_file_nobody_can_tell(tmp_path: Path) -> None:
    assert held(tmp_path) is None
    assert not list(tmp_path.iterdir())


def test_one_process_may_nest(tmp_path: Path) -> None:
    with hold(tmp_path):
        with hold(tmp_path):
            pass
        assert held(tmp_path)


def test_a_loading_worker_does_not_inherit_the_lock(tmp_path: Path) -> None:
    """Workers outlive a killed trainer by seconds; the run must be resumable at once."""
    with hold(tmp_path):
        worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(60,))
        worker.start()
    try:
        with hold(tmp_path):  # waits for the instant that a fork takes
            assert worker.is_alive()
    finally:
        worker.kill()
        worker.join()


def test_where_there_are_no_locks_training_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unsupported(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(lock.fcntl, "flock", unsupported)  # as some network file systems
    with hold(tmp_path):
        assert held(tmp_path) is None
    monkeypatch.setattr(lock, "fcntl", None)  # as on Windows
    with hold(tmp_path):
        assert held(tmp_path) is None


def test_readers_that_look_do_not_keep_a_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader has the lock for an instant: whoever wants it waits that long."""
    with hold(tmp_path):
        pass
    flock, failures = lock.fcntl.flock, [BlockingIOError(), BlockingIOError()]

    def busy(number: int, how: int) -> None:
        if failures:
            raise failures.pop()
        flock(number, how)

    monkeypatch.setattr(lock.fcntl, "flock", busy)
    with hold(tmp_path):
        assert not failures

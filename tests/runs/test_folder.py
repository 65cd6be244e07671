import errno
import multiprocessing
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from yolox_attn.errors import InputError
from yolox_attn.runs import (
    alone_at,
    check_hold,
    held,
    hold,
    remove_leftovers,
    replacing,
    write_text,
)
from yolox_attn.runs import folder as module
from yolox_attn.runs.folder import is_mine, open_log, scratch_folder, set_aside


def test_the_old_file_stays_under_the_other_name(tmp_path: Path) -> None:
    path, previous = tmp_path / "a", tmp_path / "b"
    for text in ("one", "two", "three"):
        with replacing(path, previous) as file:
            file.write(text.encode())
    assert (path.read_text(), previous.read_text()) == ("three", "two")
    assert sorted(tmp_path.iterdir()) == [path, previous]


def test_where_links_are_not_possible_it_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refused)
    write_text(tmp_path / "a", "one")
    with replacing(tmp_path / "a", tmp_path / "b") as file:
        file.write(b"two")
    assert [(tmp_path / name).read_text() for name in "ab"] == ["two", "one"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failing_block_changes_nothing(tmp_path: Path) -> None:
    path, previous = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    with pytest.raises(ZeroDivisionError), replacing(path, previous) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "one"


def test_a_disk_that_fills_up_while_syncing_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "a", "one")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "no space left")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space left"):
        write_text(tmp_path / "a", "two")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["one"]


def test_a_new_file_has_the_permissions_of_any_other(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    write_text(tmp_path / "a", "one")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "plain")]
    assert modes[0] == modes[1]


def test_a_reader_at_work_keeps_the_file_it_opened(tmp_path: Path) -> None:
    write_text(tmp_path / "a", "one")
    with (tmp_path / "a").open() as file:
        write_text(tmp_path / "a", "two")
        assert file.read() == "one"
    assert (tmp_path / "a").read_text() == "two"


def test_there_is_always_a_whole_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at `path` before every change of a name: a kill there must leave something to read."""
    path, previous = tmp_path / "a", tmp_path / "b"
    write_text(path, "one")
    write_text(previous, "zero")
    seen = []
    replace = Path.replace

    def looking(self: Path, target: Path) -> Path:
        seen.append((path.read_text(), previous.read_text()))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", looking)
    with replacing(path, previous) as file:
        file.write(b"two")
    assert seen == [("one", "zero"), ("one", "one")]
    assert (path.read_text(), previous.read_text()) == ("two", "one")


def test_a_log_is_written_on_and_never_through_a_link(tmp_path: Path) -> None:
    for text in (b"one", b"two"):
        with open_log(tmp_path / "new" / "log") as file:
            file.write(text)
    assert (tmp_path / "new" / "log").read_text() == "onetwo"
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "log").symlink_to(tmp_path / "mine")
    with pytest.raises(InputError, match="log is a link: remove it"):
        open_log(tmp_path / "log")
    assert (tmp_path / "mine").read_text() == "mine"


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".latest_ckpt.pth.77.tmp").write_text("half")
    (tmp_path / ".mine").write_text("whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".mine"]


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

    monkeypatch.setattr(module.fcntl, "flock", unsupported)  # as some network file systems
    with hold(tmp_path):
        assert held(tmp_path) is None
    monkeypatch.setattr(module, "fcntl", None)  # as on Windows
    with hold(tmp_path):
        assert held(tmp_path) is None


def test_readers_that_look_do_not_keep_a_run_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader has the lock for an instant: whoever wants it waits that long."""
    with hold(tmp_path):
        pass
    flock, failures = module.fcntl.flock, [BlockingIOError(), BlockingIOError()]

    def busy(number: int, how: int) -> None:
        if failures:
            raise failures.pop()
        flock(number, how)

    monkeypatch.setattr(module.fcntl, "flock", busy)
    with hold(tmp_path):
        assert not failures


def test_nothing_is_written_through_a_link_that_lies_in_wait(tmp_path: Path) -> None:
    (victim := tmp_path / "victim").write_text("precious")
    (folder := tmp_path / "run").mkdir()
    (folder / f".a.{os.getpid()}.tmp").symlink_to(victim)
    (folder / "a").symlink_to(victim)
    write_text(folder / "a", "new")
    assert victim.read_text() == "precious"
    assert (folder / "a").read_text() == "new"
    (folder / ".lock").symlink_to(victim)
    with pytest.raises(InputError, match=r"\.lock is a link: remove it"), hold(folder):
        pass


def test_a_folder_that_is_a_link_works(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (linked := tmp_path / "linked").symlink_to(tmp_path / "real")
    with hold(linked):
        write_text(linked / "a", "new")
        check_hold(linked)
    assert (tmp_path / "real/a").read_text() == "new"


def test_a_lock_that_was_removed_is_taken_again_unless_another_came(tmp_path: Path) -> None:
    check_hold(tmp_path)  # nobody's
    with hold(tmp_path):
        (tmp_path / ".lock").unlink()
        check_hold(tmp_path)
        assert held(tmp_path)
        (tmp_path / ".lock").unlink()
        other = holder(tmp_path)
        with pytest.raises(InputError, match=r"its \.lock was removed, and another process is"):
            check_hold(tmp_path)
        other.kill()
        other.communicate()
        check_hold(tmp_path)


def test_what_is_damaged_is_kept_under_names_of_its_own(tmp_path: Path) -> None:
    for number, name in enumerate(("a.damaged", "a.damaged-2", "a.damaged-3")):
        (tmp_path / "a").write_text(str(number))
        assert set_aside(tmp_path / "a") == tmp_path / name
    (tmp_path / "a").mkdir()
    assert set_aside(tmp_path / "a").is_dir()


def test_one_alone_is_at_a_file_until_it_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yolox_attn.runs.folder.PATIENCE", 0)
    file = tmp_path / "a.part"
    with alone_at(file, busy="busy"):
        with pytest.raises(InputError, match=r"a\.part: busy"), alone_at(file, busy="busy"):
            pass
        file.rename(tmp_path / "a")
        with alone_at(file, busy="busy"):  # another file, by the same name
            assert file.read_bytes() == b""
    with alone_at(file, busy="busy"):
        pass


def test_a_scratch_folder_is_there_for_the_time_of_the_block(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, ".model.onnx.") as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".model.onnx.")
        (folder / "file").touch()
    assert list(tmp_path.iterdir()) == []

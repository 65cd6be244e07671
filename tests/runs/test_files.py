import errno
import os
from pathlib import Path

import pytest

from yolox_attn.runs import kept_as, remove_leftovers, replacing, write_text


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
    kept_as(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 2


def test_a_failing_block_changes_nothing(tmp_path: Path) -> None:
    path, previous = tmp_path / "a", tmp_path / "b"
    path.write_text("one")
    with pytest.raises(ZeroDivisionError), replacing(path, previous) as file:
        file.write(b"half")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == [path]
    assert path.read_text() == "one"


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


def test_what_a_killed_process_was_writing_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".latest_ckpt.pth.77.tmp").write_text("half")
    (tmp_path / ".mine").write_text("whole")
    remove_leftovers(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [".mine"]

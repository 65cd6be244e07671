"""The one writer against every failure of the disk: each call fails, or is the last of all."""

import os
import signal
from pathlib import Path

import pytest
from failing import ERRORS, HITS, Disk, in_child

from yolox_attn.runs import remove_leftovers, replacing


def save(folder: Path) -> None:
    """Put a second checkpoint in the place of the first, which is kept: as training does."""
    with replacing(folder / "latest", folder / "previous") as file:
        for part in (b"se", b"co", b"nd"):
            file.write(part)


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def prepare(folder: Path) -> Path:
    folder.mkdir()
    (folder / "latest").write_text("first")
    (folder / "previous").write_text("zeroth")
    return folder


def calls(folder: Path) -> list[str]:
    with Disk(prepare(folder)).failing() as disk:
        save(folder)
    assert contents(folder) == NEW
    return disk.calls


def without_links(patch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError

    patch.setattr(os, "link", refused)


OLD = {"latest": "first", "previous": "zeroth"}
KEPT = {"latest": "first", "previous": "first"}
NEW = {"latest": "second", "previous": "first"}
CALLS = 16  # of one saving: more are no fault, but then they too must be tried


def test_every_call_of_a_saving_is_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"open", "write", "fsync", "os.link", "os.rename"} <= {*calls(tmp_path / "linked")}
    assert len(calls(tmp_path / "again")) <= CALLS
    without_links(monkeypatch)
    assert len(calls(tmp_path / "copied")) <= CALLS


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("hit", HITS)
@pytest.mark.parametrize("at", range(CALLS))
def test_whichever_call_fails_the_old_or_the_new_is_whole(
    at: int, hit: str, links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        without_links(monkeypatch)
    count = len(calls(tmp_path / "counted"))
    folder = prepare(tmp_path / "a")

    def saving() -> None:
        with Disk(folder, at, hit).failing():
            save(folder)

    if hit in ERRORS:
        try:
            saving()
        except OSError as error:
            assert error.errno == ERRORS[hit]
        else:  # a call whose failure costs nothing, or there are not so many
            assert contents(folder)["latest"] == "second"
    else:
        assert in_child(saving) == (-signal.SIGKILL if at < count else 0)
        remove_leftovers(folder)
    assert contents(folder) in (OLD, KEPT, NEW)
    save(folder)  # and the next saving finds nothing in its way
    assert contents(folder)["latest"] == "second"
    assert set(contents(folder)) == {"latest", "previous"}

"""The one writer against every failure of the disk: each call fails, or is the last of all."""

import os
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
    with Disk(folder).failing() as disk:
        save(folder)
    return disk.calls


OLD = {"latest": "first", "previous": "zeroth"}
KEPT = {"latest": "first", "previous": "first"}
NEW = {"latest": "second", "previous": "first"}
CALLS = 16  # of one saving: more are no fault, but then they too must be tried


def test_every_call_of_a_saving_is_known(tmp_path: Path) -> None:
    found = calls(prepare(tmp_path / "a"))
    assert {"open", "write", "fsync", "os.link", "os.rename"} <= {*found}
    assert len(found) <= CALLS
    assert contents(tmp_path / "a") == NEW


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("hit", HITS)
@pytest.mark.parametrize("at", range(CALLS))
def test_whichever_call_fails_the_old_or_the_new_is_whole(
    at: int, hit: str, links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = prepare(tmp_path / "a")

    def no_links(*_: object) -> None:
        raise PermissionError

    if not links:
        monkeypatch.setattr(os, "link", no_links)

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
        in_child(saving)
        remove_leftovers(folder)
    assert contents(folder) in (OLD, KEPT, NEW)
    save(folder)  # and the next saving finds nothing in its way
    assert contents(folder)["latest"] == "second"
    assert set(contents(folder)) == {"latest", "previous"}

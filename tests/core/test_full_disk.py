"""A disk that is full, or may not be written: one line, and the old checkpoint stands."""

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from yolox_attn.core import read_checkpoint, save_checkpoint
from yolox_attn.errors import InputError


def tensors(value: float) -> dict[str, Any]:
    return {"model": {"a": torch.full((50_000,), float(value))}}


def test_a_failing_save_leaves_the_old_file_and_says_so_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "latest_ckpt.pth"
    save_checkpoint(tensors(1), path)

    def half(state: object, file: Any) -> None:
        file.write(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(InputError) as caught:
        save_checkpoint(tensors(2), path)
    assert str(caught.value) == (
        f"cannot write {path}: No space left on device; the last checkpoint is {path}"
    )
    assert read_checkpoint(path)["model"]["a"][0] == 1
    assert list(tmp_path.iterdir()) == [path]


SAVE = """
import resource, sys
from pathlib import Path
import torch
from yolox_attn.cli import report_errors
from yolox_attn.core import save_checkpoint
@report_errors
def main(argv):
    if argv[1]:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(argv[1]), int(argv[1])))  # bytes
    path = Path(argv[0], "latest_ckpt.pth")
    state = {"model": {"a": torch.full((50_000,), 2.0)}}
    save_checkpoint(state, path, previous=path.with_name("previous_ckpt.pth"))
    return 0
sys.exit(main(sys.argv[1:]))
"""


def save_elsewhere(folder: Path, limit: str = "") -> subprocess.CompletedProcess[str]:
    """Save 200 kB into `folder` by another process, no file of which may exceed `limit` bytes."""
    command = [sys.executable, "-c", SAVE, str(folder), limit]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("limit", ["3000", "200000"])
def test_a_limit_on_file_size_leaves_the_old_file(tmp_path: Path, limit: str) -> None:
    path = tmp_path / "latest_ckpt.pth"
    save_checkpoint(tensors(1), path)
    ended = save_elsewhere(tmp_path, limit)
    message = f"error: cannot write {path}: File too large; the last checkpoint is {path}\n"
    assert (ended.returncode, ended.stderr) == (2, message)
    assert read_checkpoint(path)["model"]["a"][0] == 1
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_file_system_leaves_the_old_file(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=320k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, check=False).returncode:
        pytest.skip("needs the right to mount a small tmpfs")
    try:
        path = disk / "latest_ckpt.pth"
        save_checkpoint(tensors(1), path)
        ended = save_elsewhere(disk)
        assert ended.returncode == 2
        assert "No space left on device; the last checkpoint is" in ended.stderr
        assert ended.stderr.count("\n") == 1
        assert read_checkpoint(path)["model"]["a"][0] == 1
        assert list(disk.iterdir()) == [path]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_that_may_not_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"cannot write .*No such file.*no checkpoint yet"):
        save_checkpoint(tensors(1), tmp_path / "gone" / "latest_ckpt.pth")

    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(Path, "open", refused)  # whoever is root may write everywhere
    with pytest.raises(InputError, match="Permission denied; there is no checkpoint yet"):
        save_checkpoint(tensors(1), tmp_path / "latest_ckpt.pth")

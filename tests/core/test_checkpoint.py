"""Checkpoints: what is written is whole and finite, what is read is safe."""

import errno
import math
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from yolox_attn.core import read_checkpoint, save_checkpoint
from yolox_attn.core.checkpoint import name_not_finite, newest_checkpoint, read_resumable
from yolox_attn.errors import InputError, TrainingError

CPU = torch.device("cpu")


def tensors(value: float) -> dict[str, Any]:
    return {"model": {"a": torch.full((50_000,), float(value))}}


def test_what_is_not_finite_is_never_saved(tmp_path: Path) -> None:
    path, previous = tmp_path / "latest_ckpt.pth", tmp_path / "previous_ckpt.pth"
    save_checkpoint(tensors(1), path)
    state = tensors(2) | {"optimizer": {"state": {3: {"momentum_buffer": torch.ones(4)}}}}
    state["optimizer"]["state"][3]["momentum_buffer"][2] = math.nan
    with pytest.raises(TrainingError, match=r"optimizer\.state\.3\.momentum_buffer is not finite"):
        save_checkpoint(state, path, previous=previous)
    assert read_checkpoint(path)["model"]["a"][0] == 1
    assert not previous.exists()


@pytest.mark.parametrize("limit", [3000, 200_000])  # bytes: at once, at the end
def test_a_limit_on_file_size_leaves_the_old_file_and_says_so(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "latest_ckpt.pth"
    save_checkpoint(tensors(1), path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(InputError) as caught:
            save_checkpoint(tensors(2), path, previous=tmp_path / "previous_ckpt.pth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert str(caught.value) == (
        f"cannot write {path}: File too large; the last checkpoint is {path}"
    )
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
        with pytest.raises(
            InputError, match=r"^cannot write .*: No space left on device; the last"
        ):
            save_checkpoint(tensors(2), path, previous=disk / "previous_ckpt.pth")
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


def test_a_bare_state_dict_is_a_checkpoint(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "bare.pth")
    assert read_checkpoint(tmp_path / "bare.pth")["model"]["a"].sum() == 2


def test_safetensors_are_weights_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights.safetensors"
    safetensors = pytest.importorskip("safetensors.torch")
    safetensors.save_file({"a": torch.arange(4.0)}, path)
    assert torch.equal(read_checkpoint(path)["model"]["a"], torch.arange(4.0))
    for broken in (b"", path.read_bytes()[:-3], b"\xff" * 100, b"\x02\0\0\0\0\0\0\0{}"):
        path.write_bytes(broken)
        with pytest.raises(InputError, match=r"weights\.safetensors: "):
            read_checkpoint(path)
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(InputError, match="pip install safetensors"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\x80\x02garbage", "not a readable checkpoint"),
        ([1, 2], "no weights under the key 'model'"),
        ({}, "no weights under the key 'model'"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_line(
    tmp_path: Path, content: Any, says: str
) -> None:
    """Other kinds are among the bad inputs."""
    path = tmp_path / "x.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match=says) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_disk_that_is_full_is_said_beside_the_checkpoints_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint({"model": tensors(1)}, tmp_path / "best_ckpt.pth")
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(torch, "save", lambda *_: (_ for _ in ()).throw(full))
    with pytest.raises(InputError, match=r"No space left.*; the last checkpoint is .*best_ckpt"):
        save_checkpoint({"model": tensors(1)}, tmp_path / "latest_ckpt.pth")


def whole(**changes: Any) -> dict[str, Any]:
    """What a checkpoint must have for training to go on from it."""
    state: dict[str, Any] = {"model": {"a": torch.ones(5000)}, "optimizer": {}, "start_epoch": 2}
    return state | changes


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start_epoch": True}, "damaged (start_epoch is 'True')"),
        ({"start_iter": -1}, "damaged (it is before the first epoch)"),
        ({"start_iter": 1.5}, "damaged (start_iter is '1.5')"),
        ({"optimizer": [1]}, "damaged (optimizer is '[1]')"),
        ({"weights": None}, "weights is NoneType, not a dictionary of tensors"),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    path = tmp_path / "x.pth"
    torch.save(whole(**changes), path)
    with pytest.raises(InputError) as caught:
        read_resumable(path, CPU)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99, 0.999])
def test_a_checkpoint_cut_anywhere_is_one_line(tmp_path: Path, share: float) -> None:
    path = tmp_path / "x.pth"
    save_checkpoint(whole(), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"not a readable checkpoint|damaged") as caught:
        read_resumable(path, CPU)
    assert "\n" not in str(caught.value)


def test_a_stock_parallel_checkpoint_resumes(tmp_path: Path) -> None:
    given = {"model": {"module.a": torch.ones(2)}, "best_ap": np.float64(0.4)}
    torch.save(whole(**given), tmp_path / "x.pth")
    assert list(read_resumable(tmp_path / "x.pth", CPU)["model"]) == ["a"]


def test_the_newest_readable_checkpoint_is_found(tmp_path: Path, warnings: list[str]) -> None:
    names = ("epoch_1", "best", "previous", "latest")
    paths = {name: tmp_path / f"{name}_ckpt.pth" for name in names}
    for age, path in enumerate(paths.values()):
        save_checkpoint(whole(start_epoch=age), path)
        os.utime(path, (1000 + age, 1000 + age))
    os.utime(paths["best"], (5000, 5000))  # written last, but by name latest comes first
    for name in ("latest", "previous", "best"):
        path, state = newest_checkpoint(tmp_path, CPU)
        assert path == paths[name]
        assert state["start_epoch"] == names.index(name)
        paths[name].write_bytes(paths[name].read_bytes()[:500])
    warnings.clear()
    assert newest_checkpoint(tmp_path, CPU)[0] == paths["epoch_1"]
    assert [line.split(":")[0] for line in warnings] == [
        str(paths[name]) for name in ("latest", "previous", "best")
    ]
    paths["epoch_1"].write_bytes(b"")
    with pytest.raises(InputError, match=r"holds no readable checkpoint: .*latest.*and 3 more"):
        newest_checkpoint(tmp_path, CPU)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_first_tensor_that_is_not_finite_is_named(bad: float, dtype: torch.dtype) -> None:
    state = {
        "model": {"a": torch.ones(3, dtype=dtype)},
        "optimizer": {"state": [{"m": torch.zeros(2, 2, dtype=dtype)}, (torch.zeros(1),)]},
    }
    assert name_not_finite(state) is None
    state["optimizer"]["state"][0]["m"][1, 0] = bad
    assert name_not_finite(state) == "optimizer.state.0.m"


def test_large_numbers_empty_tensors_and_plain_values_pass() -> None:
    state = {"a": torch.full((2,), 3e38), "b": torch.empty(0), "c": "x", "d": None, "e": 1}
    assert name_not_finite(state | {"counter": torch.tensor(2**40)}) is None
    assert name_not_finite({}) is None
    assert name_not_finite({"x": 1.0}) is None

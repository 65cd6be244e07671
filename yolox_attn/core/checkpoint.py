"""Checkpoints: written in one step, all finite, and read without running anything from the file."""

import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loguru import logger
from torch import Tensor

from yolox_attn.errors import InputError, TrainingError
from yolox_attn.runs import replacing

LATEST_NAME = "latest_ckpt.pth"
PREVIOUS_NAME = "previous_ckpt.pth"
BEST_NAME = "best_ckpt.pth"
# The stock trainer stores the best AP as a numpy scalar, which weights_only refuses by itself.
STOCK_TYPES: list[Any] = [np.float64(0).__reduce__()[0], np.dtype, type(np.dtype("f8"))]
# What torch's restricted unpickler raises on bytes that are no checkpoint, or not all of one.
UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError,
    AttributeError, AssertionError, ArithmeticError, MemoryError, zipfile.BadZipFile, struct.error,
)  # fmt: skip
WEIGHTS = {"model", "weights"}
SAFETENSORS = ".safetensors"
DTYPES = {
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool),
}
# Of the keys that training goes on from, what each must be.
KINDS: dict[str, Any] = {
    "model": dict,
    "weights": dict,
    "optimizer": dict,
    "start_epoch": int,
    "start_iter": int,
    "best_ap": int | float,
    "ema_updates": int,
    "scaler": dict,
    "input_size": list,
    "ranks": list,
    "protocol": dict,
    "environment": dict,
}


def save_checkpoint(state: dict[str, Any], path: Path, *, previous: Path | None = None) -> None:
    """Write `state` to `path` in one step: a kill leaves the old file or the new one.

    Args:
        state: plain values and tensors, all of them finite.
        path: the checkpoint; its folder must exist.
        previous: where the checkpoint that `path` is now stays.

    Raises:
        TrainingError: a tensor is not finite; `path` is what it was.
        InputError: the file cannot be written; `path` is what it was.
    """
    if name := name_not_finite(state):
        raise TrainingError(f"{name} is not finite: not saved; {_kept(path, previous)}")
    try:
        with replacing(path, previous) as file:
            torch.save(state, file)
    except (OSError, RuntimeError) as error:  # torch wraps the system's error in its own
        if (cause := _system_error(error)) is None:
            raise
        reason = cause.strerror or str(cause)
        raise InputError(f"cannot write {path}: {reason}; {_kept(path, previous)}") from error


def name_not_finite(state: Any) -> str | None:
    """Return the name of the first tensor in `state` that holds a NaN or an infinity, or None.

    Args:
        state: tensors in dictionaries, lists and tuples, as deep as one likes; a name is the way
            to it, as "weights.head.stems.0.conv.weight".
    """
    named = [(name, x) for name, x in _tensors(state, "") if x.is_floating_point() and x.numel()]
    if not named:
        return None
    # One answer for all of them, fetched from the device once: a tensor each would take as long as
    # the writing. The largest and the smallest are finite if and only if all are.
    good = [torch.stack(torch.aminmax(x.detach())).isfinite().all() for _, x in named]
    answers = torch.stack([each.to(good[0].device) for each in good]).tolist()
    return next((name for (name, _), fine in zip(named, answers, strict=True) if not fine), None)


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """Return a checkpoint's dictionary, tensors on `device`; a bare state dict comes as "model".

    A .safetensors file is a bare state dict.

    Raises:
        InputError: no such file, not a checkpoint, or one that carries code.
    """
    _check_file(path)
    try:
        content = _load(path, device)
    except UNREADABLE as error:
        raise InputError(f"{path}: {_why_unreadable(path, error)}") from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        state: dict[str, Any] = content
    elif isinstance(content, dict) and content and all(map(torch.is_tensor, content.values())):
        state = {"model": content}
    else:
        raise InputError(f"{path}: no weights under the key 'model'")
    for key in WEIGHTS & state.keys():
        _check_names(state[key], key, path)
    try:
        for name, tensor in _tensors(state, ""):
            _check_tensor(tensor, name, path)
    except RecursionError as error:
        raise InputError(f"{path}: damaged (nested too deeply)") from error
    return state


def _check_file(path: Path) -> None:
    if not path.is_file():
        raise InputError(f"no checkpoint {path}")
    if path.suffix == SAFETENSORS and find_spec("safetensors") is None:
        raise InputError(f"{path} needs safetensors: pip install safetensors")


def _load(path: Path, device: torch.device | str) -> Any:
    if path.suffix != SAFETENSORS:
        with torch.serialization.safe_globals(STOCK_TYPES):
            return torch.load(path, map_location=device, weights_only=True)
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path, device=str(device))
    except SafetensorError as error:
        raise ValueError(str(error)) from error


def _check_names(weights: Any, key: str, path: Path) -> None:
    if not isinstance(weights, dict):
        raise InputError(f"{path}: {key} is {type(weights).__name__}, not a dictionary of tensors")
    for name, value in weights.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            what = f"{type(name).__name__} -> {type(value).__name__}"
            raise InputError(f"{path}: {key} holds {what}, not names and tensors")


def _check_tensor(tensor: Tensor, name: str, path: Path) -> None:
    """Refuse what no checkpoint of a detector holds, before anything is computed with it."""
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.dtype not in DTYPES:
        kind = "no values" if tensor.is_meta else f"{tensor.dtype}, {tensor.layout}"
        raise InputError(f"{path}: {name} is no plain tensor ({kind})")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise InputError(f"{path}: {name} is larger than what the file holds of it")


def read_resumable(path: Path, device: torch.device) -> dict[str, Any]:
    """Return a checkpoint that training can go on from, ours or the stock trainer's.

    Raises:
        InputError: as `read_checkpoint`; or the file is damaged, holds weights only, or holds
            weights that are not finite.
    """
    state = read_checkpoint(path, device)
    if lacking := [key for key in ("optimizer", "start_epoch") if key not in state]:
        raise InputError(f"{path} has no {lacking[0]}; to start from its weights drop --resume")
    _check_content(state, path)
    return state | {key: plain_names(state[key]) for key in ("model", "weights") if key in state}


def newest_checkpoint(folder: Path, device: torch.device) -> tuple[Path, dict[str, Any]]:
    """Return the newest checkpoint in `folder` that training can go on from, and its content.

    `latest` comes first, then `previous`, then the others, the last written first. Each that has
    to be skipped is named in a warning.

    Raises:
        InputError: there is none.
    """
    paths = sorted(folder.glob("*_ckpt.pth"), key=_written, reverse=True)
    first = [folder / name for name in (LATEST_NAME, PREVIOUS_NAME)]
    candidates = [path for path in first if path in paths]
    candidates += [path for path in paths if path not in first]
    if not candidates:
        raise InputError(f"{folder} holds no checkpoint to go on from; drop --resume to start")
    faults = []
    for path in candidates:
        try:
            state = read_resumable(path, device)
        except InputError as error:
            faults.append(str(error))
        else:
            for fault in faults:
                logger.warning(f"{fault}; skipped")
            return path, state
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    raise InputError(f"{folder} holds no readable checkpoint: {faults[0]}{more}")


def _written(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a link into nowhere
        return 0.0


def _tensors(value: Any, name: str) -> Iterator[tuple[str, Tensor]]:
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping | list | tuple):
        pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
        for key, each in pairs:
            yield from _tensors(each, f"{name}.{key}" if name else str(key))


def _kept(path: Path, previous: Path | None) -> str:
    others = sorted(path.parent.glob("*_ckpt.pth"), key=_written, reverse=True)
    kept = next((each for each in (path, previous, *others) if each and each.is_file()), None)
    return "there is no checkpoint yet" if kept is None else f"the last checkpoint is {kept}"


def _system_error(error: BaseException) -> OSError | None:
    seen: BaseException | None = error
    while seen is not None and not isinstance(seen, OSError):
        seen = seen.__cause__ or seen.__context__
    return seen


def _why_unreadable(path: Path, error: BaseException) -> str:
    if code := re.search(r"GLOBAL ([\w.]+)", str(error)):
        return (
            f"refused: it carries code ({code[1]}), which loading would run; a checkpoint holds "
            "tensors and plain values only"
        )
    with path.open("rb") as file:
        start = file.read(2)
    what = "it is no checkpoint, or not all of one"
    if not start:
        what = "it is empty"
    elif start == b"PK":  # torch's format is a zip archive, its index at the end
        what = "it is damaged" if _is_archive(path) else "it is cut off"
    return f"not a readable checkpoint: {what}"


def _broken_part(path: Path) -> str | None:
    """Return what in the file is not as it was written, by the sums that are kept with it."""
    if not _is_archive(path):  # torch's older format has none
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except (*UNREADABLE, zlib.error):
        return "its list of contents"


def _is_archive(path: Path) -> bool:
    """Tell whether the file is a zip archive, of which the index may be damaged."""
    try:
        return zipfile.is_zipfile(path)
    except zipfile.BadZipFile:
        return True


def _check_kinds(state: dict[str, Any], path: Path) -> None:
    for key, kind in KINDS.items():
        if key in state and not (isinstance(state[key], kind) and state[key] is not True):
            raise InputError(f"{path}: damaged ({key} is {str(state[key])[:40]!r})")
    for key in ("protocol", "environment"):
        if not _is_plain(state.get(key)):
            raise InputError(f"{path}: damaged ({key} holds more than texts and numbers)")


def _is_plain(value: Any) -> bool:
    """Tell whether it is what JSON knows: what is compared before a run goes on is no more."""
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(each) for key, each in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _check_content(state: dict[str, Any], path: Path) -> None:
    """Refuse what was changed on the disk (torch does not look at the sums) or makes no sense."""
    if (broken := _broken_part(path)) is not None:
        raise InputError(f"{path}: damaged ({broken} is not what was written)")
    _check_kinds(state, path)
    if min(state["start_epoch"], state.get("start_iter", 0)) < 0:
        raise InputError(f"{path}: damaged (it is before the first epoch)")
    if not 0 <= state.get("best_ap", 0) <= 1:
        raise InputError(f"{path}: damaged (best_ap is {state['best_ap']})")
    if name := name_not_finite(state):
        raise InputError(f"{path}: {name} is not finite; go on from an older checkpoint with -c")


def plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a parallel model under the names of the plain one."""
    return {name.removeprefix("module."): tensor for name, tensor in weights.items()}

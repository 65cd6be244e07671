"""Checkpoints: written in one step, all finite, and read without running anything from the file."""

import pickle
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from loguru import logger
from torch import Tensor, nn

from yolox_attn.errors import InputError, TrainingError
from yolox_attn.models import ATTENTION_PREFIX
from yolox_attn.runs import replacing

LATEST_NAME = "latest_ckpt.pth"
PREVIOUS_NAME = "previous_ckpt.pth"
BEST_NAME = "best_ckpt.pth"
CLASS_LAYER = "head.cls_preds."
# The stock trainer stores the best AP as a numpy scalar, which weights_only refuses by itself.
STOCK_TYPES: list[Any] = [np.float64(0).__reduce__()[0], np.dtype, type(np.dtype("f8"))]
# What torch's restricted unpickler raises on bytes that are no checkpoint, or not all of one.
UNREADABLE = (
    pickle.UnpicklingError, RuntimeError, EOFError, OSError, LookupError, ValueError, TypeError,
    AttributeError, AssertionError, ArithmeticError, MemoryError, zipfile.BadZipFile, struct.error,
)  # fmt: skip
WEIGHTS = {"model", "weights"}
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

    Raises:
        InputError: no such file, not a checkpoint, or one that carries code.
    """
    if not path.is_file():
        raise InputError(f"no checkpoint {path}")
    try:
        with torch.serialization.safe_globals(STOCK_TYPES):
            content = torch.load(path, map_location=device, weights_only=True)
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
    return state | {key: _plain_names(state[key]) for key in ("model", "weights") if key in state}


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


class Loaded(NamedTuple):
    """What was loaded from a checkpoint: `str` says it in one line.

    Attributes:
        path: the checkpoint.
        tensors: how many were loaded; attention, classes: how many of these start fresh.
    """

    path: Path
    tensors: int
    attention: int
    classes: int

    def __str__(self) -> str:
        fresh = {"attention": self.attention, "class": self.classes}
        notes = [f", {n} {part} tensors start fresh" for part, n in fresh.items() if n]
        return f"loaded {self.tensors} tensors from {self.path}{''.join(notes)}"


def load_weights(
    model: nn.Module, path: Path, *, attention_init: str = "published", complete: bool = False
) -> Loaded:
    """Load the weights of `path` into a detector and return what was done.

    Tensors of attention may be missing (a stock checkpoint has none): they keep their initial
    values. The class layer may differ in its number of classes.

    Args:
        model: the detector.
        path: the checkpoint.
        attention_init: of the blocks that have no weights there.
        complete: the model is to be judged, not trained: no tensor may be left to chance. The
            class layer must fit, and attention may be missing only where it starts as identity.

    Raises:
        InputError: the file is not readable, holds another model, or not all of it.
    """
    given = read_checkpoint(path)["model"]
    if name := name_not_finite(given):
        raise InputError(f"{path}: {name} is not finite; its training had gone wrong")
    given = _plain_names(given)
    own = model.state_dict()
    classes = _other_classes(given, own, path, complete=complete)
    fitting = {key: value for key, value in given.items() if key not in classes}
    result = model.load_state_dict(fitting, strict=False)
    missing = [k for k in result.missing_keys if k not in classes]
    fresh = [k for k in missing if k.startswith(ATTENTION_PREFIX)]
    if len(missing) > len(fresh) or result.unexpected_keys:
        lost, unknown = [k for k in missing if k not in fresh], result.unexpected_keys
        example = f"it lacks {lost[0]}" if lost else f"it has {unknown[0]}, unknown here"
        raise InputError(
            f"{path} holds another model: {example} "
            f"({len(lost)} tensors missing, {len(unknown)} unknown, of {len(own)})"
        )
    if fresh and complete:
        _refuse_untrained(path, fresh, given, attention_init)
    elif fresh and attention_init == "published":
        logger.warning(
            f"{path.name} has no attention weights: the new blocks start as published and change "
            "what the pretrained neck sees from the first step; attention_init identity starts "
            "exactly where the checkpoint was"
        )
    return Loaded(path, len(fitting), attention=len(fresh), classes=len(classes))


def _other_classes(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], path: Path, *, complete: bool
) -> list[str]:
    """Return the tensors of a class layer for another number of classes.

    Raises:
        InputError: a tensor is of another kind or shape; with `complete` also of the class layer.
    """
    shared = [key for key in given if key in own]
    for key in shared:
        if given[key].is_floating_point() != own[key].is_floating_point():
            raise InputError(f"{path}: {key} is {given[key].dtype}, needs {own[key].dtype}")
    misfits = [key for key in shared if given[key].shape != own[key].shape]
    others = [
        key
        for key in misfits
        if not key.startswith(CLASS_LAYER) or given[key].shape[1:] != own[key].shape[1:]
    ]
    if others:
        worst = others[0]
        raise InputError(
            f"{path} holds another model: {worst} is {tuple(given[worst].shape)} there and "
            f"{tuple(own[worst].shape)} here ({len(misfits)} of {len(own)} tensors differ)"
        )
    if misfits and complete:
        there, here = (len(each[misfits[0]]) for each in (given, own))
        raise InputError(
            f"{path} has a class layer of {there} classes, the data here have {here}: give "
            f"data of its {there} classes, or train from it on these with -c"
        )
    return misfits


def _refuse_untrained(
    path: Path, fresh: Sequence[str], given: Mapping[str, Tensor], attention_init: str
) -> None:
    """Refuse blocks without weights, unless they change nothing: identity, and nothing of them."""
    levels = {key.removeprefix(ATTENTION_PREFIX).partition(".")[0] for key in fresh}
    begun = [
        level for level in levels if any(k.startswith(f"{ATTENTION_PREFIX}{level}.") for k in given)
    ]
    if begun or attention_init != "identity":
        raise InputError(
            f"{path} lacks {len(fresh)} tensors of attention, as {fresh[0]}: blocks with chance "
            "values cannot be judged; give the checkpoint that was trained with them, or judge "
            "what this one holds by attention_init identity"
        )


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
        what = "it is damaged" if zipfile.is_zipfile(path) else "it is cut off"
    return f"not a readable checkpoint: {what}"


def _broken_part(path: Path) -> str | None:
    """Return what in the file is not as it was written, by the sums that are kept with it."""
    if not zipfile.is_zipfile(path):  # torch's older format has none
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip()
    except (*UNREADABLE, zlib.error):
        return "its list of contents"


def _check_kinds(state: dict[str, Any], path: Path) -> None:
    for key, kind in KINDS.items():
        if key in state and not (isinstance(state[key], kind) and state[key] is not True):
            raise InputError(f"{path}: damaged ({key} is {str(state[key])[:40]!r})")
    for key in ("protocol", "environment"):
        if not _is_plain(state.get(key)):
            raise InputError(f"{path}: damaged ({key} holds more than texts and numbers)")


def _is_plain(value: Any) -> bool:
    """Tell whether it is what JSON knows: what is compared before a run goes on is no more."""
    if isinstance(value, dict | list | tuple):
        return all(map(_is_plain, value.values() if isinstance(value, dict) else value))
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


def _plain_names(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of a parallel model under the names of the plain one."""
    return {name.removeprefix("module."): tensor for name, tensor in weights.items()}

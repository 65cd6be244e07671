"""Checkpoints: written in one step, read without running anything from the file."""

import hashlib
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loguru import logger
from torch import nn

from yolox_attn.errors import InputError
from yolox_attn.models import ATTENTION_PREFIX

# The stock trainer stores the best AP as a numpy scalar, which weights_only refuses by itself.
STOCK_TYPES: list[Any] = [np.float64(0).__reduce__()[0], np.dtype, type(np.dtype("f8"))]
CLASS_LAYER = "head.cls_preds."


def save_checkpoint(state: dict[str, Any], path: Path) -> None:
    """Write `state` to `path` in one step: a kill leaves the old file or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


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
    except pickle.UnpicklingError as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"{path}: refused, not plain weights ({reason})") from error
    except (RuntimeError, EOFError, OSError, KeyError, ValueError) as error:
        reason = str(error).strip().splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not a readable checkpoint ({reason})") from error
    if isinstance(content, dict) and isinstance(content.get("model"), dict):
        return content
    if isinstance(content, dict) and content and all(map(torch.is_tensor, content.values())):
        return {"model": content}
    raise InputError(f"{path}: no weights under the key 'model'")


def read_resumable(path: Path, device: torch.device) -> dict[str, Any]:
    """Return a checkpoint that training can go on from, ours or the stock trainer's.

    Raises:
        InputError: as `read_checkpoint`, or the file holds weights only.
    """
    state = read_checkpoint(path, device)
    if lacking := [key for key in ("optimizer", "start_epoch") if key not in state]:
        raise InputError(f"{path} has no {lacking[0]}; to start from its weights drop --resume")
    return state


def load_weights(
    model: nn.Module, path: Path, *, attention_init: str = "published", same_classes: bool = False
) -> str:
    """Load the weights of `path` into a detector and return what was done, in one line.

    Tensors of attention may be missing (a stock checkpoint has none): they keep their initial
    values. The class layer may differ in its number of classes unless `same_classes`.

    Raises:
        InputError: the file is not readable, or holds another model.
    """
    given = read_checkpoint(path)["model"]
    given = {key.removeprefix("module."): value for key, value in given.items()}
    own = model.state_dict()
    misfits = [k for k in given if k in own and given[k].shape != own[k].shape]
    classes = [k for k in misfits if k.startswith(CLASS_LAYER)]
    if len(misfits) > len(classes) or (classes and same_classes):
        worst = next((k for k in misfits if k not in classes), misfits[0])
        raise InputError(
            f"{path} holds another model: {worst} is {tuple(given[worst].shape)} there and "
            f"{tuple(own[worst].shape)} here ({len(misfits)} of {len(own)} tensors differ)"
        )
    kept = {key: value for key, value in given.items() if key not in misfits}
    result = model.load_state_dict(kept, strict=False)
    missing = [k for k in result.missing_keys if k not in misfits]
    new = [k for k in missing if k.startswith(ATTENTION_PREFIX)]
    if len(missing) > len(new) or result.unexpected_keys:
        lost, alien = [k for k in missing if k not in new], result.unexpected_keys
        example = f"it lacks {lost[0]}" if lost else f"it has {alien[0]}, unknown here"
        raise InputError(
            f"{path} holds another model: {example} "
            f"({len(lost)} tensors missing, {len(alien)} unknown, of {len(own)})"
        )
    if new and attention_init == "published":
        logger.warning(
            f"{path.name} has no attention weights: the new blocks start as published and change "
            "what the pretrained neck sees from the first step; attention_init identity starts "
            "exactly where the checkpoint was"
        )
    fresh = f", {len(new)} attention tensors start fresh" if new else ""
    classes_note = f", {len(classes)} class tensors start fresh" if classes else ""
    return f"loaded {len(kept)} tensors from {path}{fresh}{classes_note}"


def file_hash(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()

"""Weights of a checkpoint into a detector: what may be missing or differ, and what may not."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from loguru import logger
from torch import Tensor, nn

from yolox_attn.core.checkpoint import name_not_finite, plain_names, read_checkpoint
from yolox_attn.errors import InputError
from yolox_attn.models import ATTENTION_PREFIX

CLASS_LAYER = "head.cls_preds."


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
    given = plain_names(given)
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

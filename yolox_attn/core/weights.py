"""Weights of a checkpoint into a detector: what may be missing or differ, and what may not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from loguru import logger
from torch import Tensor, nn

from yolox_attn.core.checkpoint import name_not_finite, plain_names, read_checkpoint
from yolox_attn.errors import InputError
from yolox_attn.models import ATTENTION_PREFIX

CLASS_LAYER = "head.cls_preds."
BACKBONE = "backbone.backbone."
COUNTER = ".num_batches_tracked"  # of BatchNorm: has one shape in every network
# Of the stock tensors. A backbone by itself gives 44 to 56 % of them, another size at most 2 %.
LEAST_SHARE = 1 / 3


class Loaded(NamedTuple):
    """What was loaded from a checkpoint: `str` says it in one line.

    Attributes:
        path: the checkpoint.
        tensors: how many were loaded; attention, classes: how many of these start fresh.
        missing, reshaped: stock tensors that the file lacks, or has in another shape.
        unknown: tensors of the file that have no place here.
    """

    path: Path
    tensors: int
    attention: int
    classes: int
    missing: int = 0
    reshaped: int = 0
    unknown: int = 0

    def __str__(self) -> str:
        notes = {
            "attention tensors start fresh": self.attention,
            "class tensors start fresh": self.classes,
            "missing": self.missing,
            "of another shape": self.reshaped,
            "unknown here": self.unknown,
        }
        said = [f", {n} {what}" for what, n in notes.items() if n]
        return f"loaded {self.tensors} tensors from {self.path}{''.join(said)}"


@dataclass(frozen=True)
class _Fit:
    """A file's tensors next to those of a detector, by name and shape."""

    given: Mapping[str, Tensor]
    own: Mapping[str, Tensor]
    other_classes: bool = False  # than the detector's, be they as many

    @cached_property
    def fitting(self) -> dict[str, Tensor]:
        """What can be loaded."""
        return {
            key: value
            for key, value in self.given.items()
            if key in self.own
            and value.shape == self.own[key].shape
            and not (self.other_classes and key.startswith(CLASS_LAYER))
        }

    @cached_property
    def misfits(self) -> list[str]:
        """Names that both have, for tensors of two shapes."""
        shared = [key for key in self.given if key in self.own]
        return [key for key in shared if self.given[key].shape != self.own[key].shape]

    @cached_property
    def classes(self) -> list[str]:
        """Tensors of a class layer for other classes."""
        return [
            key
            for key in self.own
            if key.startswith(CLASS_LAYER)
            and key in self.given
            and key not in self.fitting
            and self.given[key].shape[1:] == self.own[key].shape[1:]
        ]

    @cached_property
    def reshaped(self) -> list[str]:
        """Other tensors of another shape, attention among them."""
        return [key for key in self.misfits if key not in self.classes]

    @cached_property
    def missing(self) -> list[str]:
        """Stock tensors that the file lacks."""
        return [key for key in self.own if key not in self.given and not _is_attention(key)]

    @cached_property
    def attention(self) -> list[str]:
        """Tensors of attention that get no value from the file."""
        return [key for key in self.own if _is_attention(key) and key not in self.fitting]

    @cached_property
    def unknown(self) -> list[str]:
        """Names that the detector does not have."""
        return [key for key in self.given if key not in self.own]


def load_weights(
    model: nn.Module,
    path: Path,
    *,
    attention_init: str = "published",
    complete: bool = False,
    other_classes: bool = False,
) -> Loaded:
    """Load the weights of `path` into a detector and return what was done.

    What the file does not give keeps its initial values: attention, which a stock checkpoint does
    not have, and a class layer for other classes; of the rest, in a warning, as much as
    leaves `LEAST_SHARE` of the stock tensors (BatchNorm's counters and the class layer aside) with
    a value. The names of a backbone by itself, which begin at its stem, are those below `BACKBONE`.

    Args:
        model: the detector.
        path: the checkpoint.
        attention_init: of the blocks that have no weights there.
        complete: the model is to be judged, not trained: no tensor may be left to chance. The
            class layer must fit, and attention may be missing only where it starts as identity.
        other_classes: the file's classes are not the detector's, be they as many: its class layer
            is not taken.

    Raises:
        InputError: the file is not readable, holds another model, or not all of it.
    """
    given = read_checkpoint(path)["model"]
    if name := name_not_finite(given):
        raise InputError(f"{path}: {name} is not finite; its training had gone wrong")
    own = model.state_dict()
    fit = _Fit(_as_named(plain_names(given), own), own, other_classes)
    _check_kinds(fit, path)
    if complete:
        _refuse_incomplete(fit, path, attention_init)
    else:
        _refuse_another(fit, path)
        _warn(fit, path, attention_init)
    model.load_state_dict(fit.fitting, strict=False)
    return Loaded(
        path,
        len(fit.fitting),
        attention=len(fit.attention),
        classes=len(fit.classes),
        missing=len(fit.missing),
        reshaped=len(_stock(fit.reshaped)),
        unknown=len(fit.unknown),
    )


def _is_attention(key: str) -> bool:
    return key.startswith(ATTENTION_PREFIX)


def _stock(keys: Sequence[str]) -> list[str]:
    return [key for key in keys if not _is_attention(key)]


def _as_named(given: Mapping[str, Tensor], own: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Return the weights under the detector's names: those of a backbone by itself lack two."""
    if given.keys() & own.keys():
        return given
    whole = {f"{BACKBONE}{key}": value for key, value in given.items()}
    return whole if whole.keys() & own.keys() else given


def _check_kinds(fit: _Fit, path: Path) -> None:
    for key, value in fit.given.items():
        if key in fit.own and value.is_floating_point() != fit.own[key].is_floating_point():
            raise InputError(f"{path}: {key} is {value.dtype}, needs {fit.own[key].dtype}")


def _refuse_another(fit: _Fit, path: Path) -> None:
    """Refuse a file from which the detector would get next to nothing.

    Raises:
        InputError: how much of it fits, how much must, and what the likely cause is.
    """
    stock = [
        key for key in _stock([*fit.own]) if not key.startswith(CLASS_LAYER) and COUNTER not in key
    ]
    fitting = sum(key in fit.fitting for key in stock)
    if fitting >= LEAST_SHARE * len(stock):
        return
    if fit.reshaped:
        cause = f"{_two_shapes(fit, fit.reshaped[0])}: is it of another size?"
    else:
        more = f" and has {fit.unknown[0]}" if fit.unknown else ""
        cause = f"it lacks {fit.missing[0]}{more}: is it of another network?"
    raise InputError(
        f"{path} holds another model: {fitting} of {len(stock)} stock tensors fit, a third must; "
        f"{cause}"
    )


def _two_shapes(fit: _Fit, key: str) -> str:
    there, here = (tuple(each[key].shape) for each in (fit.given, fit.own))
    return f"{key} is {there} there and {here} here"


def _warn(fit: _Fit, path: Path, attention_init: str) -> None:
    """Say what is not as in the file, beyond what a stock checkpoint cannot hold."""
    parts = []
    if missing := fit.missing:
        parts.append(f"{len(missing)} stock tensors are missing, as {missing[0]}")
    if reshaped := fit.reshaped:
        parts.append(f"{len(reshaped)} are of another shape, as {_two_shapes(fit, reshaped[0])}")
    if missing or reshaped:
        parts.append("these start fresh")
    if unknown := fit.unknown:
        parts.append(f"{len(unknown)} have no place here, as {unknown[0]}")
    if parts:
        logger.warning(f"{path.name} is not of this very model: {'; '.join(parts)}")
    if fit.classes:
        _say_classes(fit, path)
    if fit.attention and attention_init == "published":
        logger.warning(
            f"{path.name} has no value for {len(fit.attention)} tensors of attention: new "
            "blocks start as published and change what the pretrained neck sees from the first "
            "step; attention_init identity starts exactly where the checkpoint was"
        )


def _say_classes(fit: _Fit, path: Path) -> None:
    there, here = (len(each[fit.classes[0]]) for each in (fit.given, fit.own))
    if there == here:
        logger.warning(f"{path.name} has other classes than the data here: their layer is new")
    else:
        logger.info(f"{path.name} has {there} classes, the data here {here}: their layer is new")


def _refuse_incomplete(fit: _Fit, path: Path, attention_init: str) -> None:
    """Refuse what is not this very model.

    Raises:
        InputError: the first tensor that is missing, unknown, or of another shape.
    """
    if fit.reshaped:
        raise InputError(
            f"{path} holds another model: {_two_shapes(fit, fit.reshaped[0])} "
            f"({len(fit.misfits)} of {len(fit.own)} tensors differ)"
        )
    if classes := fit.classes:
        there, here = (len(each[classes[0]]) for each in (fit.given, fit.own))
        raise InputError(
            f"{path} has a class layer of {there} classes, the data here have {here}: give "
            f"data of its {there} classes, or train from it on these with -c"
        )
    lost, unknown = fit.missing, fit.unknown
    if lost or unknown:
        example = f"it lacks {lost[0]}" if lost else f"it has {unknown[0]}, unknown here"
        raise InputError(
            f"{path} holds another model: {example} "
            f"({len(lost)} tensors missing, {len(unknown)} unknown, of {len(fit.own)})"
        )
    if fit.attention:
        _refuse_untrained(fit, path, attention_init)


def _refuse_untrained(fit: _Fit, path: Path, attention_init: str) -> None:
    """Refuse blocks without weights, unless they change nothing: identity, and nothing of them."""
    fresh = fit.attention
    levels = {key.removeprefix(ATTENTION_PREFIX).partition(".")[0] for key in fresh}
    begun = [
        level
        for level in levels
        if any(k.startswith(f"{ATTENTION_PREFIX}{level}.") for k in fit.given)
    ]
    if begun or attention_init != "identity":
        raise InputError(
            f"{path} lacks {len(fresh)} tensors of attention, as {fresh[0]}: blocks with chance "
            "values cannot be judged; give the checkpoint that was trained with them, or judge "
            "what this one holds by attention_init identity"
        )

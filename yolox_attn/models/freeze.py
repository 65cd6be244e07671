"""Parts of a model that do not learn, chosen by name pattern; their BatchNorm stands still too."""

from collections.abc import Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from yolox_attn.errors import InputError


def freeze(model: nn.Module, patterns: Sequence[str]) -> list[str]:
    """Turn off the gradients of what the patterns name; return the parameters' names.

    Args:
        model: the detector, not wrapped for several processes.
        patterns: names of modules or parameters, `*` and `?` and `[abc]` as in a shell. A module
            stands for all below it: "backbone.backbone.dark2", "backbone*", "*.bn".

    Raises:
        InputError: a pattern that names no parameter, with close names; or nothing is left to
            learn.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(_covers(pattern, name) for name in names):
            raise InputError(
                f"freeze {pattern!r}: no parameter of that name{_hint(model, pattern)}"
            )
    frozen = [name for name in names if any(_covers(pattern, name) for pattern in patterns)]
    if names and len(frozen) == len(names):
        raise InputError(f"freeze {' '.join(patterns)}: nothing would be left to learn")
    for name in frozen:
        model.get_parameter(name).requires_grad = False
    return frozen


def freeze_batchnorm(model: nn.Module, patterns: Sequence[str]) -> None:
    """Put the frozen BatchNorms in eval mode; `train()` undoes it, so call it after each."""
    for name, module in model.named_modules():
        if isinstance(module, _BatchNorm) and _is_frozen(name, module, patterns):
            module.eval()


def _is_frozen(name: str, module: nn.Module, patterns: Sequence[str]) -> bool:
    """Tell whether patterns name the module, one above it, or each of its parameters."""
    if any(_covers(pattern, name) for pattern in patterns):
        return True
    own = [f"{name}.{parameter}" for parameter, _ in module.named_parameters(recurse=False)]
    return bool(own) and all(any(_covers(p, parameter) for p in patterns) for parameter in own)


def _covers(pattern: str, name: str) -> bool:
    return fnmatchcase(name, pattern) or fnmatchcase(name, f"{pattern}.*")


def _hint(model: nn.Module, pattern: str) -> str:
    names = [name for name, _ in [*model.named_modules(), *model.named_parameters()] if name]
    close = get_close_matches(pattern, names, n=3)
    return f"; did you mean {', '.join(close)}?" if close else ""

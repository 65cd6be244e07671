"""Settings that cannot work, refused before anything is built on them."""

import numbers
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any

from yolox_attn.errors import InputError

Rule = tuple[str, Callable[[Any], bool], str]  # setting, whether it works, what is allowed

ACTIVATIONS = ("silu", "relu", "lrelu")  # YOLOX's
SCHEDULERS = ("yoloxwarmcos", "warmcos", "cos")  # those for which YOLOX's Exp has all settings
LARGEST_SEED = 2**63 - 1

FREE = {"attention"}  # a name, a callable or a mapping: the placement says what is wrong
TYPES_ALLOWED: list[tuple[Any, Any, str]] = [
    (bool, (bool, int), "True or False"),
    ((int, float), numbers.Real, "a number"),
    (str, (str, PathLike), "a text"),
    (Mapping, Mapping, "a mapping"),
    (Sequence, Sequence, "a sequence"),
]
RULES: list[Rule] = [
    ("num_classes", lambda number: number >= 1, "at least 1"),
    ("patience", lambda number: number >= 0, "evaluations to wait, 0 for no early stop"),
    ("seed", lambda seed: seed is None or 0 <= seed <= LARGEST_SEED, "from 0 to 2**63 - 1"),
    ("data_num_workers", lambda number: number >= 0, "0 or more; 0 loads in the run's own process"),
    ("eval_interval", lambda number: number >= 1, "at least 1 epoch"),
    ("print_interval", lambda number: number >= 1, "at least 1 step"),
    ("freeze", lambda patterns: not isinstance(patterns, str), "a list of name patterns"),
    ("max_labels", lambda number: number >= 1, "at least 1 box an image"),
]
NETWORK_RULES: list[Rule] = [
    ("depth", lambda factor: factor > 0, "above 0; 0.33 (nano) to 1.33 (x)"),
    ("width", lambda factor: int(64 * factor) >= 1, "at least 1/64; 0.25 (nano) to 1.25 (x)"),
    ("act", lambda name: name in ACTIVATIONS, f"it is {', '.join(ACTIVATIONS)}"),
]
SCHEDULER_RULES: list[Rule] = [
    ("scheduler", lambda name: name in SCHEDULERS, f"it is {', '.join(SCHEDULERS)}"),
]


def check_types(exp: Any, usual: Any) -> None:
    """Refuse settings of another type than they have by default: text for a number, one side.

    Args:
        exp: the experiment.
        usual: one whose settings are as they are by default.

    Raises:
        InputError: its name, its value and what is allowed.
    """
    for key, default in vars(usual).items():
        value, kind = getattr(exp, key, default), _kind(default)
        if key in FREE or kind is None or isinstance(value, kind[0]):
            continue
        raise InputError(f"{key} {value!r}: needs {kind[1]}, like {default!r}")


def _kind(default: Any) -> tuple[Any, str] | None:
    """Return the types that a setting with this default may have, and their name."""
    if default is None:
        return None
    for kind, allowed, name in TYPES_ALLOWED:
        if isinstance(default, kind):
            return allowed, name
    return None


def check_rules(exp: Any, rules: list[Rule]) -> None:
    """Refuse the first setting that breaks its rule.

    Raises:
        InputError: its name, its value and what is allowed.
    """
    for key, works, allowed in rules:
        value = getattr(exp, key)
        try:
            good = works(value)
        except (TypeError, ValueError):  # a text for a number, as an Exp file may set it
            good = False
        if not good:
            raise InputError(f"{key} {value!r}: {allowed}")

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
LARGEST_RATE = 1e6  # no training survives it, and its squares are still finite
LONGEST_NAME = 200  # bytes of a file's name, to which suffixes come
LIKE_A_FILE = f"a name of 1 to {LONGEST_NAME} bytes of UTF-8 that can be printed"
LARGEST_BATCH = 65_536

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
    ("max_epoch", lambda epochs: 1 <= epochs <= 10**6, "from 1 to 1000000"),
    ("freeze", lambda patterns: all(isinstance(each, str) for each in patterns), "name patterns"),
    *((key, lambda rate: 0 <= rate <= LARGEST_RATE, f"a rate from 0 to {LARGEST_RATE:g}")
      for key in ("basic_lr_per_img", "warmup_lr", "weight_decay")),
    ("ema_tau", lambda steps: 0 < steps <= LARGEST_RATE, f"steps, above 0 to {LARGEST_RATE:g}"),
    *((key, lambda share: 0 <= share <= 1, "from 0 to 1")
      for key in ("momentum", "min_lr_ratio", "test_conf", "nmsthre", "mosaic_prob", "mixup_prob",
                  "hsv_prob", "flip_prob", "ema_decay")),
    *((key, lambda most: abs(most) < float("inf"), "a finite number")
      for key in ("degrees", "translate", "shear")),
    *((key, lambda ends: len(ends) == 2 and 0 < ends[0] <= ends[1], "smallest and largest, above 0")
      for key in ("mosaic_scale", "mixup_scale")),
    *((key, lambda name: like_a_file(str(name)), LIKE_A_FILE)
      for key in ("exp_name", "train_ann", "val_ann", "test_ann")),
]  # fmt: skip
NETWORK_RULES: list[Rule] = [
    ("depth", lambda factor: 0 < factor <= 10, "above 0, at most 10; 0.33 (nano) to 1.33 (x)"),
    (
        "width",
        lambda factor: 1 <= int(64 * factor) <= 640,
        "from 1/64 to 10; 0.25 (nano) to 1.25 (x)",
    ),
    ("act", lambda name: name in ACTIVATIONS, f"it is {', '.join(ACTIVATIONS)}"),
]
SCHEDULER_RULES: list[Rule] = [
    ("scheduler", lambda name: name in SCHEDULERS, f"it is {', '.join(SCHEDULERS)}"),
]


def like_a_file(name: str) -> bool:
    """Tell whether a file or folder can have this name, on any machine that a run is taken to."""
    try:
        return 1 <= len(name.encode()) <= LONGEST_NAME and name.isprintable()
    except UnicodeEncodeError:  # bytes of a file's name that are no text
        return False


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

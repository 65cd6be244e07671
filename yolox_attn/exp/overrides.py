"""Strict `key value` overrides: what is misspelt or of the wrong type is refused, not guessed."""

import ast
import math
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from yolox_attn.errors import InputError

# Attributes whose default does not show the type: None until set, or not there until set.
TYPES: dict[str, type] = {"seed": int, "data_dir": str, "random_size": tuple}
WORDS = {"true": True, "1": True, "yes": True, "on": True}
WORDS |= {"false": False, "0": False, "no": False, "off": False}


def apply_overrides(exp: object, items: Sequence[Any]) -> None:
    """Set attributes of `exp` from [key, value, key, value, ...], all or none of them.

    A value takes the type of the attribute it replaces. `wandb-*` keys belong to the logger.

    Raises:
        InputError: no value for a key, an unknown key (with close matches) or a wrong type.
    """
    if len(items) % 2:
        raise InputError(f"overrides are `key value` pairs; {items[-1]!r} has no value")
    pairs = list(zip(items[0::2], items[1::2], strict=True))
    parsed = {k: _parse(exp, str(k), v) for k, v in pairs if not str(k).startswith("wandb-")}
    for key, value in parsed.items():
        setattr(exp, key, value)


def known_settings(exp: object) -> set[str]:
    """Return the names that an override may have."""
    built = {"model", "optimizer", "dataset"}
    return {key for key in vars(exp) if not key.startswith("_")} - built | TYPES.keys()


def _parse(exp: object, key: str, value: Any) -> Any:
    settings = known_settings(exp)
    if key.startswith("-"):
        raise InputError(
            f"{key} is a flag, not a setting: YOLOX's own tools take flags before overrides"
        )
    if key not in settings:
        close = get_close_matches(key, settings, n=3)
        known = f"did you mean {', '.join(close)}?" if close else ", ".join(sorted(settings))
        raise InputError(f"override {key!r}: no such setting; {known}")
    current = getattr(exp, key, None)
    wanted = TYPES.get(key, type(current))
    if value in ("None", "none", None) and (key in TYPES or current is None):
        return None
    try:
        return _convert(value, wanted, current)
    except (ValueError, SyntaxError) as error:
        like = "" if current is None else f", like {current!r}"
        raise InputError(f"override {key} {value}: needs {wanted.__name__}{like}") from error


def _convert(value: Any, wanted: type, current: Any) -> Any:
    if wanted is type(None):
        return _literal(value)
    if wanted is bool:
        return _boolean(value)
    if wanted is float:
        return _finite(value)
    if wanted is int:
        return _whole(value)
    if wanted in (tuple, list):
        return wanted(_sequence(value, current))
    if wanted is dict or (isinstance(value, str) and value.startswith("{")):
        return _mapping(value)
    return _text(value) if wanted is str else value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(value)
    return value


def _boolean(value: Any) -> bool:
    word = str(value).lower()
    if word not in WORDS:
        raise ValueError(value)
    return WORDS[word]


def _whole(value: Any) -> int:
    if isinstance(value, bool | float):
        raise ValueError(value)
    return int(value)


def _finite(value: Any) -> float:
    if isinstance(value, bool) or not math.isfinite(number := float(value)):
        raise ValueError(value)
    return number


def _literal(value: Any) -> Any:
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return value


def _mapping(value: Any) -> dict[Any, Any]:
    parsed = ast.literal_eval(value) if isinstance(value, str) else value
    if not isinstance(parsed, dict):
        raise ValueError(value)
    return parsed


def _sequence(value: Any, current: Any) -> list[Any]:
    """Return "(320,320)", "320,320" or a sequence as a list of what `current` holds."""
    if isinstance(value, str):
        items = [_literal(part.strip()) for part in value.strip("()[] ").split(",") if part.strip()]
    else:
        items = list(value)
    if not current:
        return items
    numbers = all(isinstance(item, int | float) for item in current)
    if numbers and len(items) != len(current):
        raise ValueError(value)
    kinds = (int,) if all(isinstance(item, int) for item in current) else (int, float)
    if any(not isinstance(item, kinds if numbers else str) for item in items):
        raise ValueError(value)
    return items

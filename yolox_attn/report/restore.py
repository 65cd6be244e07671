"""Dataclasses back from the JSON that `dataclasses.asdict` gives, by their annotations."""

import dataclasses
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints


def restore(kind: Any, value: Any) -> Any:
    """Return `value`, as JSON holds it, as the annotation `kind` says.

    Known are dataclasses, tuples, dicts with texts as keys, optional values and JSON's own types.

    Raises:
        KeyError, TypeError: a field is missing or unknown, or a value of another type.
    """
    if isinstance(kind, UnionType):
        if value is None and NoneType in get_args(kind):
            return None
        (kind,) = (each for each in get_args(kind) if each is not NoneType)
    if dataclasses.is_dataclass(kind):
        return _dataclass(kind, value)
    if get_origin(kind) is tuple:
        return _tuple(get_args(kind), value)
    if get_origin(kind) is dict:
        _, of = get_args(kind)
        return {key: restore(of, each) for key, each in _checked(value, dict).items()}
    return value if kind is object else _checked(value, (int, float) if kind is float else kind)


def _dataclass(kind: Any, value: Any) -> Any:
    hints: Mapping[str, Any] = get_type_hints(kind)
    values = _checked(value, dict)
    return kind(**{name: restore(hints[name], each) for name, each in values.items()})


def _tuple(kinds: tuple[Any, ...], value: Any) -> tuple[Any, ...]:
    values = _checked(value, list)
    if kinds[-1] is Ellipsis:
        return tuple(restore(kinds[0], each) for each in values)
    if len(values) != len(kinds):
        raise TypeError(f"{len(kinds)} values expected, got {values!r}")
    return tuple(restore(kind, each) for kind, each in zip(kinds, values, strict=True))


def _checked(value: Any, kind: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"{value!r} is no {getattr(kind, '__name__', 'number')}")
    return value

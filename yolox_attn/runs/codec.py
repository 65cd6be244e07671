"""JSON in and out: read into dataclasses by their annotations, and written without nan."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from yolox_attn.errors import InputError
from yolox_attn.runs.folder import write_text

Kind = TypeVar("Kind")
CONTAINERS = (dict, list)
DEEPEST = 100  # levels of nested lists and objects
LARGEST = 64 << 20  # bytes: the metrics of a hundred thousand epochs have fewer


def read_json(path: Path, kind: type[Kind], what: str) -> Kind:
    """Return the content of a JSON file as `kind`: a dataclass, or what `typing` can say of JSON.

    Args:
        path: the file.
        kind: every value must be of its type, and no field may be unknown.
        what: the file is, as "a run record".

    Raises:
        InputError: it cannot be read, is no JSON, or is not `what`.
    """
    return _decode(_content(path), kind, str(path), what)


def read_json_lines(path: Path, kind: type[Kind], what: str) -> list[Kind]:
    """Return a file with a JSON value a line, each as `kind`; empty where there is no file.

    Raises:
        InputError: as `read_json`, with the number of the line.
    """
    if not path.exists():
        return []
    lines = enumerate(_content(path).splitlines(), start=1)
    return [_decode(line, kind, f"{path}, line {number}", what) for number, line in lines]


def convert(values: Any, kind: type[Kind], where: str, what: str) -> Kind:
    """Return JSON's own types as `kind`; a refusal begins with `where`.

    Raises:
        InputError: a value is of another type, or a field is missing or unknown.
    """
    try:
        converted = msgspec.convert(values, kind)
    except msgspec.ValidationError as error:  # also what a dataclass says of its own values
        raise InputError(f"{where}: not {what}: {error}") from error
    except UnicodeEncodeError as error:  # of a text that msgspec looks into, in a wrong place
        raise InputError(f"{where}: not {what}: it holds a text that is no UTF-8") from error
    if unknown := list(_unknown(values, msgspec.to_builtins(converted), "")):
        raise InputError(f"{where}: not {what}: unknown field {', '.join(unknown)}")
    return converted


def write_json(path: Path, value: Any) -> None:
    """Write a dataclass, or JSON's own types, in one step: never half a file."""
    write_text(path, to_json(value))


def to_json(value: Any) -> str:
    """Return a dataclass, or JSON's own types, as indented JSON; nan and infinity are null."""
    plain = dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value  # type: ignore[arg-type]
    return json.dumps(finite(plain), indent=2, allow_nan=False) + "\n"


def finite(value: Any) -> Any:
    """Return `value` with None for every nan and infinity, which JSON cannot say."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(each) for each in value]
    return value


def parsed(raw: bytes) -> Any:
    """Return the content of JSON bytes.

    Raises:
        ValueError: it is no JSON, or no UTF-8.
        RecursionError: it is nested more than `DEEPEST` levels: what reads it on may call itself.
    """
    # Not msgspec's own decoder: it refuses file names that are no UTF-8 ("\udcff").
    content = json.loads(raw.decode())
    level = [content] if isinstance(content, CONTAINERS) else []
    for _ in range(DEEPEST):
        if not level:
            return content
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, CONTAINERS)
        ]
    raise RecursionError(f"nested more than {DEEPEST} deep")


def file_hash(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _content(path: Path) -> bytes:
    if path.exists() and not path.is_file():
        raise InputError(f"{path}: cannot be read: it is no regular file")
    try:
        if (size := path.stat().st_size) > LARGEST:
            limit = f"no file of ours has more than {LARGEST >> 20}"
            raise InputError(f"{path}: {size / 2**20:.0f} MiB, and {limit}")
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def _decode(raw: bytes, kind: type[Kind], where: str, what: str) -> Kind:
    try:
        values = parsed(raw)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where}: cannot be read as JSON: {error}") from error
    return convert(values, kind, where, what)


def _unknown(given: Any, kept: Any, place: str) -> Iterator[str]:
    """Yield the keys that a dataclass has no field for, which msgspec leaves out."""
    if isinstance(given, dict):
        for key, value in given.items():
            if key not in kept:
                yield f"{place}{key}"
            else:
                yield from _unknown(value, kept[key], f"{place}{key}.")
    elif isinstance(given, list):
        for number, (value, other) in enumerate(zip(given, kept, strict=True)):
            yield from _unknown(value, other, f"{place}{number}.")

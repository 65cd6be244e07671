"""metrics.jsonl: one line an epoch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.runs.codec import LARGEST, finite, parsed, read_json_lines
from yolox_attn.runs.folder import set_aside, write_text

METRICS_NAME = "metrics.jsonl"


def append_metrics(folder: Path, row: dict[str, Any]) -> None:
    """Add one epoch's numbers to metrics.jsonl; `row["epoch"]` says which.

    A resumed run may repeat epochs: rows of this epoch and of later ones are replaced.
    """
    _write(folder, [*_until(folder, row["epoch"] - 1), row])


def keep_metrics(folder: Path, epochs: int) -> None:
    """Drop the rows of all but the first `epochs` epochs: a resumed run writes them anew."""
    _write(folder, _until(folder, epochs))


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return metrics.jsonl as one dict an epoch, in order; empty before the first epoch's end.

    Raises:
        InputError: a line is not a JSON object with a whole number under "epoch".
    """
    path = folder / METRICS_NAME
    rows = read_json_lines(path, dict[str, Any], "one epoch's metrics")
    for number, row in enumerate(rows, start=1):
        if type(row.get("epoch")) is not int:
            raise InputError(f"{path}, line {number}: not one epoch's metrics: it has no epoch")
    return rows


def set_damaged_aside(folder: Path) -> str | None:
    """Keep a metrics.jsonl that cannot be read under another name; its sound rows go on.

    Returns:
        what was done, in a sentence; None where nothing was damaged.
    """
    path = folder / METRICS_NAME
    try:
        read_metrics(folder)
    except (InputError, OSError) as error:
        aside = set_aside(path)
        rows = _sound_rows(aside)
        if rows:
            _write(folder, rows)
        return f"{error}: kept as {aside.name}; {len(rows)} of its rows are taken over"
    return None


def _sound_rows(path: Path) -> list[dict[str, Any]]:
    """Return the rows up to the first that is none."""
    rows: list[dict[str, Any]] = []
    if not path.is_file() or path.stat().st_size > LARGEST:
        return rows
    for line in path.read_bytes().splitlines():
        try:
            row = parsed(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(row, dict) or type(row.get("epoch")) is not int:
            break
        rows.append(row)
    return rows


def _until(folder: Path, epoch: int) -> list[dict[str, Any]]:
    return [row for row in read_metrics(folder) if row["epoch"] <= epoch] if epoch > 0 else []


def _write(folder: Path, rows: list[dict[str, Any]]) -> None:
    lines = [json.dumps(finite(row), allow_nan=False) + "\n" for row in rows]
    write_text(folder / METRICS_NAME, "".join(lines))


def numbers_of(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a row says of its epoch: name -> number, without what is not defined."""
    return {key: value for key, value in row.items() if key != "epoch" and value is not None}

"""A Comparison on disk: comparison.json (fractions, complete), .md and .csv (points)."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from yolox_attn.cost import Latency
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import Comparison, Difference, RunResult, Variant
from yolox_attn.report.tables import as_csv, as_markdown
from yolox_attn.runs import write_text

SCHEMA = 1
NAME = "comparison"


def write_comparison(folder: Path, comparison: Comparison) -> list[Path]:
    """Write comparison.md, .csv and .json into `folder` and return their paths."""
    values = {"schema": SCHEMA, **dataclasses.asdict(comparison)}
    texts = {
        "md": as_markdown(comparison),
        "csv": as_csv(comparison),
        "json": json.dumps(values, indent=2, allow_nan=False) + "\n",
    }
    paths = [folder / f"{NAME}.{suffix}" for suffix in texts]
    for path, text in zip(paths, texts.values(), strict=True):
        write_text(path, text)
    return paths


def read_comparison(path: Path) -> Comparison:
    """Return the Comparison that `path`, a comparison.json, holds.

    Raises:
        InputError: the file cannot be read or is of another schema.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read as JSON: {error}") from error
    if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA:
        raise InputError(f"{path}: not a comparison of schema {SCHEMA}")
    try:
        values["variants"] = tuple(_variant(each) for each in values["variants"])
        values["test_size"] = tuple(values["test_size"])
        values["notes"] = tuple(values["notes"])
        return Comparison(**values)
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: not a whole comparison: {error}") from error


def _variant(values: dict[str, Any]) -> Variant:
    difference, latency = values["difference"], values["latency"]
    values["runs"] = tuple(RunResult(**run) for run in values["runs"])
    if difference is not None:
        values["difference"] = Difference(difference["figures"], tuple(difference["seeds"]))
    if latency is not None:
        values["latency"] = Latency(**latency)
    return Variant(**values)

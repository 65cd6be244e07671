"""Finished runs written by hand, for the tests of what reads them."""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from yolox_attn.runs import RunRecord, write_record

CONFIG = {
    "depth": 0.33,
    "width": 0.5,
    "act": "silu",
    "depthwise": False,
    "num_classes": 3,
    "max_epoch": 3,
    "test_size": [320, 320],
    "nmsthre": 0.65,
    "print_interval": 10,
    "train_name": "train",
}
DATA = {"dir": "data", "train_ann": "t.json", "val_ann": "v.json", "train_images": 90}
DATA |= {"val_images": 10, "train_sha256": "a" * 64, "val_sha256": "b" * 64}


def make_record(name: str, seed: int | None, ap: float | None) -> RunRecord:
    """A finished run of `name`; the part after yolox_s_ is its block on every level."""
    block = re.sub("^yolox_(s|nano)_?", "", name)
    placed = {"block": block, "options": {}, "parameters": {}}
    metrics = {"AP50": 0.5, "AP75": 0.3, "APs": None, "APm": 0.2, "APl": 0.4, "AR100": 0.6}
    return RunRecord(
        name=name,
        seed=seed,
        state="finished",
        pid=hash((name, seed, ap)),
        command=["train"],
        exp_file=None,
        exp_name_arg=name.replace("_", "-"),
        overrides=[],
        attention=dict.fromkeys(("dark3", "dark4", "dark5"), placed) if block else {},
        attention_init="published",
        config={**CONFIG, "exp_name": name, "seed": seed, "attention": block or "none"},
        batch_size=8,
        precision="fp32",
        memory_format="channels_last",
        device="cpu x86_64",
        threads=2,
        versions={"torch": "2.9", "yolox": "0.3.0"},
        data=dict(DATA),
        pretrained=None,
        parameters=8_000_000,
        trainable_parameters=8_000_000,
        gflops=26.8,
        started="2026-01-01T00:00:00+00:00",
        epoch=3,
        metrics={} if ap is None else {"AP": ap, **metrics},
    )


@pytest.fixture
def write_run(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes one run's record below tmp_path and returns its folder.

    `config`, `data` and `metrics` change single keys, other keywords fields of the record.
    """

    def write(name: str, seed: int | None = 0, ap: float | None = 0.4, **changes: Any) -> Path:
        record = make_record(name, seed, ap)
        for part in ("config", "data", "metrics"):
            changes[part] = {**getattr(record, part), **changes.get(part, {})}
        folder = tmp_path / name / f"seed{seed}"
        write_record(folder, dataclasses.replace(record, **changes))
        return folder

    return write

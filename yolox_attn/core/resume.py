"""Whether a checkpoint continues this very run: what must be equal, and what had better be."""

import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from loguru import logger

from yolox_attn import device as devices
from yolox_attn.core.record import describe_config
from yolox_attn.errors import InputError
from yolox_attn.runs import COSMETIC, identify_data

CPU_INFO = Path("/proc/cpuinfo")


def describe_protocol(  # noqa: PLR0913 - all by keyword, from as many places
    exp: object,
    *,
    seed: int,
    batch_size: int,
    accumulate: int,
    processes: int,
    precision: str,
    data: Mapping[str, Any],
) -> dict[str, Any]:
    """Return, in JSON's types, everything that must be equal for a run to be continued.

    Args:
        exp: the experiment; of its settings all but those that change no learning.
        seed: that the run really has, drawn where none was given.
        batch_size: images of one pass over all `processes`.
        accumulate: passes that make one step.
        processes: ranks.
        precision: "fp32", "bf16" or "fp16".
        data: as in `RunRecord.data`.
    """
    # How often a run is evaluated decides which epoch is its best, and when patience ends.
    cosmetic = COSMETIC - {"eval_interval"}
    settings = {k: v for k, v in describe_config(exp).items() if k not in cosmetic}
    return {
        **settings,
        **identify_data(data),
        "seed": seed,
        "batch_size": batch_size,
        "accumulate": accumulate,
        "processes": processes,
        "precision": precision,
    }


def describe_environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Return, in JSON's types, what decides the last bits of a number beside the protocol."""
    return {
        **{package.__name__: str(package.__version__) for package in (torch, np, cv2)},
        "cpu": cpu_model(),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "threads": threads,
        "device": devices.describe(device),
        "deterministic": device.type == "cpu" or torch.are_deterministic_algorithms_enabled(),
    }


def check_resume(
    state: Mapping[str, Any],
    protocol: Mapping[str, Any],
    environment: Mapping[str, Any],
    *,
    path: Path,
    insist: bool,
) -> bool:
    """Tell whether the run goes on exactly: to the very numbers it would have had without a stop.

    Args:
        state: the checkpoint.
        protocol: of this run, from `describe_protocol`.
        environment: of this process, from `describe_environment`.
        path: the checkpoint's file, for messages.
        insist: go on even if the protocol differs.

    Raises:
        InputError: the protocol differs; every difference is named.
    """
    if "protocol" not in state:
        logger.warning(
            f"{path} is from a stock run: its weights, optimiser and epoch continue, but not "
            "exactly, as it does not hold the rest"
        )
        return False
    if changed := _differences(state["protocol"], protocol):
        if not insist:
            raise InputError(
                f"{path} is of another run: {changed}; give what it was saved with, or insist "
                "with --resume-anyway"
            )
        logger.warning(f"{path} continues with other settings: {changed}; not exactly, then")
    elsewhere = _differences(state.get("environment", {}), environment)
    if elsewhere:
        logger.warning(f"the run goes on, but not to the same last bits: {elsewhere}")
    return not changed and not elsewhere and bool(environment["deterministic"])


def cpu_model() -> str:
    """Return the processor's name as its maker writes it, as far as the system tells."""
    try:
        text = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    named = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.machine()


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Return "batch_size 8 -> 16; seed 0 -> 1", empty if nothing differs."""
    parts = [
        f"{key} {_short(before, key)} -> {_short(now, key)}"
        for key in sorted(before.keys() | now.keys())
        if key not in before or key not in now or before[key] != now[key]
    ]
    return "; ".join(parts)


def _short(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "absent"
    value = values[key]
    hashed = key.endswith(("sha256", "_files")) or key == "Exp file"
    if hashed and isinstance(value, str):
        return value[:12]
    text = str(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

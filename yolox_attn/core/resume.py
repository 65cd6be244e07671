"""Whether a checkpoint continues this very run: what must be equal, and what had better be."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from loguru import logger

from yolox_attn import device as devices
from yolox_attn.errors import InputError
from yolox_attn.machine import cpu_model
from yolox_attn.runs.protocol import continues
from yolox_attn.runs.record import without_index


def describe_environment(device: torch.device, threads: int) -> dict[str, Any]:
    """Return, in JSON's types, what decides the last bits of a number besides the protocol."""
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
        protocol: of this run, from `resume_protocol`.
        environment: of this process, from `describe_environment`.
        path: the checkpoint's file, for messages.
        insist: go on even if the protocol differs.

    Raises:
        InputError: the protocol differs; every difference is named.
    """
    if "protocol" not in state:
        logger.warning(
            f"{path} is from a stock run: its weights, optimiser and epoch continue, but not "
            "exactly, as it does not hold everything else"
        )
        return False
    if changed := continues(state["protocol"], protocol):
        if not insist:
            raise InputError(
                f"{path} is of another run: {changed}; give what it was saved with, or insist "
                "with --resume-anyway"
            )
        logger.warning(f"{path} continues with other settings: {changed}; not exactly, then")
    saved = {**state.get("environment", {})}
    if "device" in saved:  # older versions wrote which of the GPUs it was
        saved["device"] = without_index(str(saved["device"]))
    if elsewhere := continues(saved, environment):
        logger.warning(f"the run goes on, but not to the same last bits: {elsewhere}")
    return not changed and not elsewhere and bool(environment["deterministic"])

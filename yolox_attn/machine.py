"""What this machine has, as far as the system says: cores, processor, home folders."""

import os
import platform
import re
from pathlib import Path
from typing import Any

import psutil


def usable_cores() -> int:
    """Return the physical cores that this process may use."""
    return cores_of(os, psutil.cpu_count(logical=False))


def cores_of(system: Any, physical: int | None) -> int:
    """Return the usable ones of `physical` cores; None: the system does not say how many there are.

    `system` has the functions of `os`; sched_getaffinity is missing on macOS and Windows.
    """
    affinity = getattr(system, "sched_getaffinity", None)
    allowed: int = len(affinity(0)) if affinity else system.cpu_count() or 1
    return min(physical or allowed, allowed)


def cpu_model(info: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name as its maker writes it; `info` is there on Linux alone."""
    try:
        text = info.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    return name[1].strip() if name else platform.machine()


def expanded(path: str | Path) -> Path:
    """Return a path with ~ replaced by the home folder; ~NAME stays where nobody has that name.

    Path.expanduser would raise then, and not say of which path.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


def cache_folder() -> Path:
    """Return where is kept what can be made again: $YOLOX_ATTN_CACHE, else ~/.cache/yolox_attn."""
    return expanded(os.environ.get("YOLOX_ATTN_CACHE") or "~/.cache/yolox_attn")

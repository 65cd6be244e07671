"""What this machine has, as far as the system says: cores and processor."""

import os
import platform
import re
from pathlib import Path

import psutil

CPU_INFO = Path("/proc/cpuinfo")


def usable_cores() -> int:
    """Return the physical cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        allowed = len(os.sched_getaffinity(0))
    else:  # macOS, Windows
        allowed = os.cpu_count() or 1
    return min(psutil.cpu_count(logical=False) or allowed, allowed)


def cpu_model() -> str:
    """Return the processor's name as its maker writes it."""
    try:
        text = CPU_INFO.read_text(encoding="utf-8", errors="replace")
    except OSError:  # not Linux
        return platform.processor() or platform.machine()
    named = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    return named[1].strip() if named else platform.machine()

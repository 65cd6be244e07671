"""What this machine has, as far as the system says: cores, memory, processor, home folders."""

import math
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

CGROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
# Of a control group (cgroup v2, v1): its limit, what it uses, and the lines of memory.stat that say
# how much of that is pages of files, which the system takes back when it needs them.
CGROUP_FILES = (
    ("memory.max", "memory.current", ("inactive_file", "active_file")),
    ("memory.limit_in_bytes", "memory.usage_in_bytes",
     ("total_inactive_file", "total_active_file")),
)  # fmt: skip
SPIN_COUNT = "1000"  # some microseconds; libgomp reads it, which torch's wheels for Linux bring
UNLIMITED = 1 << 60  # bytes; v1 writes a number near 1 << 63 where there is no limit


def usable_cores() -> int:
    """Return the physical cores that this process may use, a container's share of them included."""
    return min([cores_of(os, psutil.cpu_count(logical=False)), *cgroup_cores()])


def cores_of(system: Any, physical: int | None) -> int:
    """Return the usable ones of `physical` cores; None: the system does not say how many there are.

    `system` has the functions of `os`; sched_getaffinity is missing on macOS and Windows.
    """
    affinity = getattr(system, "sched_getaffinity", None)
    allowed: int = len(affinity(0)) if affinity else system.cpu_count() or 1
    return min(physical or allowed, allowed)


def idle_cores(seconds: float = 0.1) -> float:
    """Return how many of `usable_cores` other programs have left idle for so long."""
    busy = psutil.cpu_percent(seconds, percpu=True)  # of 100, each logical core
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = [busy[core] for core in affinity(0) if core < len(busy)] if affinity else busy
    return usable_cores() * (1 - sum(allowed) / (100 * max(len(allowed), 1)))


def set_wait_policy() -> None:
    """Let idle OpenMP threads sleep: at once, or after a short spin where the cores are idle.

    Threads that spin slow down whatever shares their cores, and are slowed by it, up to tenfold. To
    wake one takes longer than many a task lasts: with a short spin a training step of yolox-nano
    takes two thirds of the time (docs/benchmarks.md). No result depends on it. To be called before
    torch is imported; what the environment sets stays.
    """
    if "OMP_WAIT_POLICY" in os.environ:
        return
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(wanted) if wanted.isdecimal() else usable_cores()
    if threads <= idle_cores() + 0.5:
        os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)


def free_memory() -> int:
    """Return the bytes that may still be taken: of the machine, and of a container or batch job."""
    return min([psutil.virtual_memory().available, *cgroup_memory()])


def cgroup_memory(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Iterator[int]:
    """Yield the bytes that each control group with a limit leaves to this process; Linux alone."""
    for group in _groups("memory", root, membership):
        yield from _room(group)


def cgroup_cores(root: Path = CGROUPS, membership: Path = MEMBERSHIP) -> Iterator[int]:
    """Yield the cores, rounded up, whose time each control group with a quota gives; Linux alone.

    `docker run --cpus 2` sets such a quota and shows all cores of the machine all the same.
    """
    for group in _groups("cpu", root, membership):
        for files in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):  # v2, v1
            try:
                words = " ".join((group / file).read_text() for file in files).split()
                quota, period = map(int, words)
            except (OSError, ValueError):  # no such file, or "max": no quota
                continue
            if quota > 0 and period > 0:  # v1 writes -1 where there is none
                yield math.ceil(quota / period)


def _groups(controller: str, root: Path, membership: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups, and of those above, whose limits hold."""
    try:
        lines = membership.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", maxsplit=2)
        if not controllers or controller in controllers.split(","):
            group = Path(controllers, path.lstrip("/"))
            yield from (root / folder for folder in (group, *group.parents))


def _room(group: Path) -> Iterator[int]:
    for limit_file, used_file, reclaimable in CGROUP_FILES:
        try:
            limit = int((group / limit_file).read_text())
            if limit > UNLIMITED:
                continue
            used = int((group / used_file).read_text())
            stat = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
            yield max(0, limit - used + sum(int(stat[line]) for line in reclaimable))
        except (OSError, ValueError, KeyError):  # no such file, or "max": no limit
            continue


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

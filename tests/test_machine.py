import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from yolox_attn import machine
from yolox_attn.machine import (
    cgroup_cores,
    cgroup_memory,
    cores_of,
    cpu_model,
    free_memory,
    idle_cores,
    set_wait_policy,
    usable_cores,
)


@pytest.mark.parametrize(
    ("affinity", "logical", "physical", "usable"),
    [
        (8, 16, 8, 8),  # one hardware thread of each core
        (3, 16, 8, 3),  # bound to three
        (16, 16, 8, 8),
        (2, 2, None, 2),  # a virtual machine may not say
        (None, 10, 10, 10),  # macOS: no affinity
        (None, 16, 8, 8),  # Windows
        (None, 4, None, 4),
        (None, None, None, 1),
    ],
)
def test_cores_are_counted_with_and_without_affinity(
    affinity: int | None, logical: int | None, physical: int | None, usable: int
) -> None:
    system = SimpleNamespace(cpu_count=lambda: logical)
    if affinity is not None:
        system.sched_getaffinity = lambda _: set(range(affinity))
    assert cores_of(system, physical) == usable


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process")
def test_a_process_that_is_bound_to_one_core_uses_one() -> None:
    code = (
        "import os; os.sched_setaffinity(0, [min(os.sched_getaffinity(0))]); "
        "from yolox_attn.machine import usable_cores; print(usable_cores())"
    )
    command = [sys.executable, "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert (int(printed), usable_cores() >= 1) == (1, True)


@pytest.mark.parametrize(
    ("affinity", "idle"), [({0, 1, 2, 3}, 4 * (1 - 0.45)), ({0, 1}, 2 * 0.1), (None, 4 * 0.55)]
)
def test_idle_is_what_others_leave_of_the_cores_that_may_be_used(
    affinity: set[int] | None, idle: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = [100.0, 80.0, 0.0, 0.0]
    monkeypatch.setattr(psutil, "cpu_percent", lambda interval, percpu: busy)
    monkeypatch.setattr(psutil, "cpu_count", lambda logical: 4)
    if affinity is None:
        monkeypatch.delattr(os, "sched_getaffinity", raising=False)
        monkeypatch.setattr(os, "cpu_count", lambda: 4)
    else:
        monkeypatch.setattr(os, "sched_getaffinity", lambda _: affinity, raising=False)
    assert idle_cores() == pytest.approx(idle)


@pytest.mark.parametrize(
    ("idle", "before", "after"),
    [
        (4.0, {}, ("PASSIVE", "1000")),
        (3.6, {}, ("PASSIVE", "1000")),  # a browser in the background
        (3.0, {}, ("PASSIVE", None)),  # somebody's program
        (3.0, {"OMP_NUM_THREADS": "2"}, ("PASSIVE", "1000")),  # there is room for two
        (1.2, {"OMP_NUM_THREADS": "2"}, ("PASSIVE", None)),
        (4.0, {"GOMP_SPINCOUNT": "7"}, ("PASSIVE", "7")),
        (4.0, {"OMP_WAIT_POLICY": "PASSIVE"}, ("PASSIVE", None)),
        (0.0, {"OMP_WAIT_POLICY": "ACTIVE"}, ("ACTIVE", None)),
    ],
)
def test_threads_sleep_between_their_tasks_at_once_where_others_want_the_cores(
    idle: float,
    before: dict[str, str],
    after: tuple[str, str | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    monkeypatch.setattr(machine, "idle_cores", lambda: idle)
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "")  # so that what is set here does not stay
        monkeypatch.delenv(name)
    for name, text in before.items():
        monkeypatch.setenv(name, text)
    set_wait_policy()
    assert tuple(map(os.environ.get, ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT"))) == after


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("processor\t: 0\nmodel name\t: Some CPU @ 2.40GHz\n", "Some CPU @ 2.40GHz"),
        ("processor\t: 0\nModel\t\t: Raspberry Pi 5\n", "Raspberry Pi 5"),
        ("processor\t: 0\n", platform.machine()),
    ],
)
def test_the_processor_is_named_as_linux_lists_it(tmp_path: Path, text: str, name: str) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_model(tmp_path / "cpuinfo") == name


def test_elsewhere_the_processor_is_named_as_python_does(tmp_path: Path) -> None:
    assert cpu_model(tmp_path / "nowhere") == (platform.processor() or platform.machine())


def test_memory_of_a_container_is_what_its_groups_leave(tmp_path: Path) -> None:
    def group(path: str, **files: str) -> None:
        folder = tmp_path / path
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / name.replace("__", ".")).write_text(text)

    stat = (
        "anon 1\ninactive_file 10\nactive_file 20\ntotal_inactive_file 15\ntotal_active_file 25\n"
    )
    group("job", memory__max="1000\n", memory__current="400\n", memory__stat=stat)
    group("job/step", memory__max="max\n", memory__current="9\n", memory__stat=stat)
    old = {"memory__usage_in_bytes": "500\n", "memory__stat": stat}
    group("memory", memory__limit_in_bytes="300\n", **old)
    group("memory/a", memory__limit_in_bytes=f"{(1 << 63) - 4096}\n", **old)
    membership = tmp_path / "membership"
    for lines, left in (
        ("0::/job/step\n", [630]),
        ("4:memory:/a\n3:cpu:/job\n", [0]),  # over its limit
        ("4:memory:/a\n0::/job\n", [0, 630]),
        ("0::/\n", []),
        ("", []),
    ):
        membership.write_text(lines)
        assert list(cgroup_memory(tmp_path, membership)) == left
    assert list(cgroup_memory(tmp_path, tmp_path / "macOS")) == []


def test_cores_of_a_container_are_those_whose_time_its_groups_give(tmp_path: Path) -> None:
    for path, text in {
        "job/cpu.max": "150000 100000\n",
        "job/step/cpu.max": "max 100000\n",
        "odd/cpu.max": "?\n",
        "cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
        "cpu,cpuacct/cpu.cfs_period_us": "100000\n",
        "cpu,cpuacct/a/cpu.cfs_quota_us": "300000\n",
        "cpu,cpuacct/a/cpu.cfs_period_us": "100000\n",
    }.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    membership = tmp_path / "membership"
    for lines, cores in (
        ("0::/job/step\n", [2]),
        ("4:cpu,cpuacct:/a\n3:memory:/job\n", [3]),
        ("4:cpu,cpuacct:/\n0::/odd\n", []),
        ("3:cpuset:/job\n", []),
        ("", []),
    ):
        membership.write_text(lines)
        assert list(cgroup_cores(tmp_path, membership)) == cores
    assert list(cgroup_cores(tmp_path, tmp_path / "macOS")) == []


def test_a_container_with_a_quota_uses_no_more_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores_of", lambda *_: 64)
    monkeypatch.setattr(machine, "cgroup_cores", lambda: iter([8, 2]))
    assert usable_cores() == 2
    monkeypatch.setattr(machine, "cgroup_cores", lambda: iter([]))
    assert usable_cores() == 64


def test_free_memory_is_the_least_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cgroup_memory", lambda: iter([1 << 70, 17]))
    assert free_memory() == 17
    monkeypatch.setattr(machine, "cgroup_memory", lambda: iter([]))
    assert 0 < free_memory() <= psutil.virtual_memory().total

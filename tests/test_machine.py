import os
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from yolox_attn.machine import cores_of, cpu_model, usable_cores


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

"""How many runs of a study go on at a time, and where each."""

from collections.abc import Mapping
from typing import Any

import psutil

from yolox_attn.device import devices_for_runs, pick_device
from yolox_attn.errors import InputError
from yolox_attn.machine import usable_cores
from yolox_attn.study.plan import Plan


def choose_slots(plan: Plan, parallel: int | None = None, device: str = "auto") -> list[str]:
    """Return the device of each run that may go on at a time.

    By default one run a CUDA device; on a CPU `runs_on_cpu`.

    Raises:
        InputError: there is no such device, or `parallel` is below 1.
    """
    if parallel is not None and parallel < 1:
        raise InputError(f"--max-parallel {parallel}: at least 1")
    devices = devices_for_runs(device)
    if parallel is None:
        parallel = len(devices)
        if pick_device(devices[0]).type == "cpu":
            parallel = runs_on_cpu(plan, usable_cores(), psutil.virtual_memory().available)
    return [devices[number % len(devices)] for number in range(parallel)]


def runs_on_cpu(plan: Plan, cores: int, memory: int) -> int:
    """Return how many runs at a time get most done with `cores` and `memory` free bytes.

    As many as fit; but where the plan's probe found that fewer at a time get more done, so many.
    """
    most = runs_that_fit(plan.training.threads, cores, plan.expected.get("memory"), memory)
    tried = [count for count in (1, *map(int, _slowdowns(plan.expected))) if count <= most]
    done = {count: count / slowdown(plan.expected, count) for count in {*tried, most}}
    return max(done, key=lambda count: (done[count], count))


def runs_that_fit(threads: int, cores: int, needed: int | None, memory: int) -> int:
    """Return how many runs of so many threads and `needed` bytes there is room for, at least 1."""
    fitting = cores // threads
    if needed:
        fitting = min(fitting, int(memory // needed))
    return max(fitting, 1)


def slowdown(expected: Mapping[str, Any], parallel: int) -> float:
    """Return how many times as long a step takes with `parallel` runs at a time; 1 if unknown."""
    return float(_slowdowns(expected).get(str(parallel), 1.0))


def _slowdowns(expected: Mapping[str, Any]) -> Mapping[str, float]:
    known: Mapping[str, float] = expected.get("slowdown") or {}
    return known

"""How many runs of a study go on at a time, and where each."""

from collections.abc import Mapping
from typing import Any

from yolox_attn.device import devices_for_runs, pick_device
from yolox_attn.errors import InputError
from yolox_attn.machine import free_memory, usable_cores
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
            parallel = runs_on_cpu(plan, usable_cores(), free_memory())
    return [devices[number % len(devices)] for number in range(parallel)]


def runs_on_cpu(plan: Plan, cores: int, memory: int) -> int:
    """Return how many runs at a time get most done with `cores` and `memory` free bytes.

    Of the numbers that the plan's probe timed and that fit; as many as fit if it timed none.
    """
    most = runs_that_fit(plan.training.threads, plan.expected.get("memory"), cores, memory)
    if not plan.expected.get("slowdown"):
        return most
    timed = {count: times for count, times in _timed(plan.expected).items() if count <= most}
    done = {1: 1.0} | {count: count / times for count, times in timed.items()}
    return max(done, key=lambda count: (done[count], count))


def runs_that_fit(threads: int, needed: int | None, cores: int, memory: int) -> int:
    """Return how many runs of so many threads and `needed` bytes there is room for, at least 1.

    A quarter of the free `memory` is left to the images that runs keep (`CocoDetection`).
    """
    fitting = cores // threads
    if needed:
        fitting = min(fitting, int(memory * 3 // 4 // needed))
    return max(fitting, 1)


def slowdown(expected: Mapping[str, Any], parallel: int) -> float:
    """Return how many times as long a step takes with `parallel` runs at a time.

    Of a number that was not timed that of the next larger one, else of the largest; 1 if none was.
    """
    timed = _timed(expected)
    if parallel == 1 or not timed:
        return 1.0
    return timed[min((count for count in timed if count >= parallel), default=max(timed))]


def _timed(expected: Mapping[str, Any]) -> dict[int, float]:
    """Return what a plan expects; it holds None for a number at which a run failed."""
    known: Mapping[str, float | None] = expected.get("slowdown") or {}
    return {int(count): times for count, times in known.items() if times is not None}

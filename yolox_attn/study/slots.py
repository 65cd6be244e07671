"""How many runs of a study stand side by side, and on which device each."""

import psutil

from yolox_attn.device import devices_for_runs, pick_device, usable_cores
from yolox_attn.errors import InputError
from yolox_attn.study.plan import Plan


def choose_slots(plan: Plan, parallel: int | None = None, device: str = "auto") -> list[str]:
    """Return the device of each run that may go on at a time.

    By default one run a CUDA device; on a CPU as many as its cores and its free memory allow, by
    the plan's threads and, if `plan.expected` has it, its "memory" in bytes.

    Raises:
        InputError: there is no such device, or `parallel` is below 1.
    """
    if parallel is not None and parallel < 1:
        raise InputError(f"--max-parallel {parallel}: at least 1")
    devices = devices_for_runs(device)
    if parallel is None:
        on_cpu = pick_device(devices[0]).type == "cpu"
        parallel = _on_cpu(plan) if on_cpu else len(devices)
    return [devices[number % len(devices)] for number in range(parallel)]


def _on_cpu(plan: Plan) -> int:
    fitting = usable_cores() // plan.training.threads
    if needed := plan.expected.get("memory"):
        fitting = min(fitting, int(psutil.virtual_memory().available // needed))
    return max(fitting, 1)

"""Where tensors live, and the only file that spells "cuda"."""

import os
import platform
from contextlib import AbstractContextManager

import psutil
import torch

from yolox_attn.errors import InputError


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: "auto", "cpu", "cuda", "cuda:N" or "mps".

    "auto" is the first CUDA device, else MPS, else the CPU.

    Raises:
        InputError: the name is none of these, or this machine has no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda", torch.cuda.current_device())
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdigit())):
        raise InputError(f"unknown device {name!r}; it is auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= count:
            raise InputError(f"--device {name}: torch sees {count} CUDA devices here; try cpu")
        return torch.device("cuda", int(index or 0))
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: torch has no MPS here; try cpu")
    return torch.device(kind)


def synchronize(device: torch.device) -> None:
    """Wait until `device` has done what it was given, so that a clock reads true."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def autocast(device: torch.device, dtype: torch.dtype | None) -> AbstractContextManager[object]:
    """Return mixed precision in `dtype` on `device`; None means full precision."""
    return torch.autocast(device.type, dtype=dtype or torch.bfloat16, enabled=dtype is not None)


def precision_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Return the autocast type of "fp32" (None), "bf16" or "fp16".

    Raises:
        InputError: fp16 off CUDA, where its gradients have no loss scaler.
    """
    if precision == "fp16" and device.type != "cuda":
        raise InputError(f"--fp16 needs a CUDA device, this is {device.type}; use --bf16 instead")
    return {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}[precision]


def describe(device: torch.device) -> str:
    """Return the device's name for a record, as "cuda:0 NVIDIA H100" or "cpu x86_64"."""
    if device.type == "cuda":
        return f"{device} {torch.cuda.get_device_name(device)}"
    return f"{device} {platform.machine()}"


def peak_memory(device: torch.device) -> int | None:
    """Return the most bytes torch held on a CUDA device so far, None elsewhere."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def pins_memory(device: torch.device) -> bool:
    """Tell whether batches in pinned memory reach `device` faster."""
    return device.type == "cuda"


def use(device: torch.device) -> None:
    """Make `device` the current CUDA device, where there is such a thing."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def occupy(device: torch.device, share: float = 0.9) -> None:
    """Reserve `share` of the free memory of a CUDA device for this process.

    Raises:
        InputError: the device is not CUDA.
    """
    if device.type != "cuda":
        raise InputError(f"-o reserves CUDA memory, this is {device.type}; drop it")
    free, _ = torch.cuda.mem_get_info(device)
    del_me = torch.empty(int(free * share), dtype=torch.uint8, device=device)
    del del_me  # stays with torch's caching allocator


def fix_threads() -> int:
    """Fix torch's CPU threads to OMP_NUM_THREADS, else to the physical cores, and return them.

    One and two threads add in another order and differ in the last bits: the count is recorded.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if not given.isdigit() or int(given) < 1:
        allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1
        given = str(min(psutil.cpu_count(logical=False) or allowed, allowed))
    torch.set_num_threads(int(given))
    return torch.get_num_threads()

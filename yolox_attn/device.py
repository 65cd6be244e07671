"""Where tensors live, and the only file that spells "cuda"."""

import os
import platform
from contextlib import AbstractContextManager

import torch

from yolox_attn.errors import InputError
from yolox_attn.machine import usable_cores

NO_MEMORY = (  # what torch says in a plain RuntimeError
    *("out of memory", "can't allocate memory", "not enough memory", "Cannot allocate memory"),
    *("CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED"),
)
# What ONNX Runtime calls a device.
RUNTIME_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def pick_device(name: str = "auto") -> torch.device:
    """Return the device called `name`: "auto", "cpu", "cuda", "cuda:N" or "mps".

    "auto" is the first CUDA device, else MPS, else the CPU. Of several processes each takes the
    CUDA device of its own number on the machine, and none takes MPS, which cannot be shared.

    Raises:
        InputError: the name is none of these, this machine has no such device, or one device is
            named for several processes.
    """
    share = _local_rank()
    if share is not None:
        _refuse_single(name)
    if name == "auto":
        mps = torch.backends.mps.is_available() and share is None
        name = "cuda" if _cuda_count() else "mps" if mps else "cpu"
    kind, _, index = name.partition(":")
    if kind not in ("cpu", "cuda", "mps") or (index and not (kind == "cuda" and index.isdigit())):
        raise InputError(f"unknown device {name!r}; it is auto, cpu, cuda, cuda:N or mps")
    if kind == "cuda":
        count, number = _cuda_count(), int(index or share or 0)
        if number >= count:
            needs = "" if share is None else f", process {share} of this machine needs one more"
            raise InputError(
                f"--device {name}: torch sees {count} CUDA devices here{needs}; try cpu"
            )
        return torch.device("cuda", number)
    if kind == "mps" and not torch.backends.mps.is_available():
        raise InputError("--device mps: torch has no MPS here; try cpu")
    return torch.device(kind)


def check_processes(name: str, processes: int) -> None:
    """Refuse a device that `processes` on this machine cannot have, each its own.

    Raises:
        InputError: it is a single device, or there are fewer CUDA devices than processes.
    """
    if processes == 1:
        return
    _refuse_single(name)
    count = _cuda_count()
    if (name == "cuda" or (name == "auto" and count)) and count < processes:
        raise InputError(
            f"-d {processes}: torch sees {count} CUDA devices here, one a process; "
            f"-d {max(count, 1)} or --device cpu"
        )


def devices_for_runs(name: str) -> tuple[str, ...]:
    """Return the devices of runs in parallel, one each: all CUDA devices, or `name` alone.

    Raises:
        InputError: as `pick_device`.
    """
    pick_device(name)
    count = _cuda_count()
    several = name in ("auto", "cuda") and count > 1
    return tuple(f"cuda:{number}" for number in range(count)) if several else (name,)


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
    """Return the device's name for a record, as "cuda NVIDIA H100" or "cpu x86_64".

    Its number on the machine is left out: another one of the same kind computes the same.
    """
    if device.type == "cuda":
        return f"{device.type} {torch.cuda.get_device_name(device)}"
    return f"{device.type} {platform.machine()}"


def set_determinism(wanted: bool, device: torch.device) -> str | None:  # noqa: FBT001
    """Ask torch for bit-equal repeats on `device`; return a remark for the user, if any.

    On CUDA the fastest convolution is searched for only if this is not wanted: never both. A CPU
    repeats bit by bit anyway. Call it before CUDA starts: cuBLAS reads its setting then.
    """
    if device.type == "cuda":
        if wanted:
            os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.backends.cudnn.benchmark = not wanted
        torch.backends.cudnn.deterministic = wanted
        torch.use_deterministic_algorithms(wanted)
        if wanted:
            return (
                "--deterministic: repeats on this GPU are bit-equal, and steps take longer: the "
                "fastest convolutions are neither searched for nor used"
            )
    if wanted and device.type == "mps":
        return "--deterministic: torch promises no bit-equal repeats on mps"
    return None


def random_state(device: torch.device) -> torch.Tensor | None:
    """Return the state of the device's own random generator, None where it is the CPU's."""
    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else None


def restore_random_state(device: torch.device, state: torch.Tensor | None) -> None:
    """Put back what `random_state` returned; None (saved on a CPU) changes nothing."""
    if state is None:
        return
    if device.type == "cuda":
        torch.cuda.set_rng_state(state.cpu(), device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state.cpu())


def out_of_memory(error: BaseException) -> bool:
    """Tell whether `error` says that memory ran out: of the device, of cuDNN, or of the CPU."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in NO_MEMORY)


def peak_memory(device: torch.device) -> int | None:
    """Return the most bytes torch held on a CUDA device so far, None elsewhere."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


def collective_backend(device: torch.device) -> str:
    """Return how processes on such devices talk: nccl between CUDA devices, gloo elsewhere."""
    return "nccl" if device.type == "cuda" else "gloo"


def pins_memory(device: torch.device) -> bool:
    """Tell whether batches in pinned memory reach `device` faster."""
    return device.type == "cuda"


def use(device: torch.device) -> None:
    """Make `device` the current CUDA device, where there is such a thing."""
    if device.type == "cuda":
        torch.cuda.set_device(device)


def occupy(device: torch.device, share: float = 0.9) -> str:
    """Reserve `share` of the free memory of a CUDA device for this process.

    Returns:
        a remark where there is nothing to reserve: YOLOX's own commands carry -o everywhere.
    """
    if device.type != "cuda":
        return f"-o reserves CUDA memory: nothing to reserve on {device.type}"
    free, _ = torch.cuda.mem_get_info(device)
    # Freed at once, the memory stays with torch's caching allocator.
    torch.empty(int(free * share), dtype=torch.uint8, device=device)
    return ""


def fix_threads() -> int:
    """Fix torch's CPU threads to OMP_NUM_THREADS, else to the physical cores, and return them.

    One and two threads add in another order and differ in the last bits: the count is recorded.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    if not given.isdigit() or int(given) < 1:
        given = str(usable_cores())
    torch.set_num_threads(int(given))
    return torch.get_num_threads()


def _refuse_single(name: str) -> None:
    if name.startswith(("mps", "cuda:")):
        raise InputError(
            f"--device {name} is one device; several processes take auto, cpu, or cuda for one "
            "CUDA device each"
        )


def _local_rank() -> int | None:
    """Return the number that torchrun gave this process of several on a machine, else None."""
    several = int(os.environ.get("WORLD_SIZE", "1")) > 1
    return int(os.environ.get("LOCAL_RANK", "0")) if several else None


def _cuda_count() -> int:
    return torch.cuda.device_count() if torch.cuda.is_available() else 0

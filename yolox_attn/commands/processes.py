"""The processes that a command runs in: -d, and several machines."""

import argparse
import os
import re
import sys
from dataclasses import dataclass

from yolox_attn import device as devices
from yolox_attn.core.launch import launch
from yolox_attn.errors import InputError
from yolox_attn.exp.checks import LARGEST_BATCH
from yolox_attn.launched import launched
from yolox_attn.machine import usable_cores

PROCESSES_A_CORE = 8


@dataclass(frozen=True)
class Processes:
    """How many processes a machine runs, and where the machines meet."""

    here: int  # on this machine; the same number on each
    machines: int = 1
    machine_rank: int = 0
    address: str | None = None  # "HOST:PORT" of machine 0; None finds a free port

    @property
    def total(self) -> int:
        """Of all machines."""
        return self.here * self.machines


def run_in_processes(name: str, args: argparse.Namespace, argv: list[str] | None) -> int | None:
    """Run the command `name` in the processes that its flags ask for, and return its exit code.

    None says that this process is to do the work: it is the only one, or one rank of the run.
    `argv` are the words that its `main` got, None where they are those of this program.

    Raises:
        InputError: as `process_options`.
        TrainingError: a rank died.
    """
    how = process_options(args)
    if launched() or how.total == 1:
        return None
    return launch(
        name,
        sys.argv[1:] if argv is None else argv,
        how.here,
        machines=how.machines,
        machine_rank=how.machine_rank,
        address=how.address,
    )


def process_options(args: argparse.Namespace) -> Processes:
    """Return what the flags ask for; within torchrun, or in a rank of ours, what was launched.

    Raises:
        InputError: flags that contradict each other or the machine, or a batch size that does not
            divide among the processes.
    """
    if launched():
        how = _launched(args)
    else:
        how = _requested(args)
        devices.check_processes(args.device, how.here)
    if args.dist_backend == "nccl":
        device = devices.pick_device(args.device)
        if devices.collective_backend(device) != "nccl":
            raise InputError(f"--dist-backend nccl: needs CUDA, this is {device.type}; drop it")
    _check_batch(args.batch_size, how.total)
    return how


def _launched(args: argparse.Namespace) -> Processes:
    total = int(os.environ["WORLD_SIZE"])
    here = int(os.environ.get("LOCAL_WORLD_SIZE", total))
    if args.devices not in (None, here):
        raise InputError(
            f"-d {args.devices}: torchrun started {here} processes on this machine; drop -d"
        )
    return Processes(here, machines=max(1, total // here))


def _requested(args: argparse.Namespace) -> Processes:
    here = 1 if args.devices is None else args.devices
    most = PROCESSES_A_CORE * usable_cores()
    if not 1 <= here <= most:
        raise InputError(f"-d {here}: from 1 to {most} processes, {PROCESSES_A_CORE} a core")
    if args.num_machines < 1:
        raise InputError(f"--num_machines {args.num_machines}: at least 1")
    if not 0 <= args.machine_rank < args.num_machines:
        raise InputError(
            f"--machine_rank {args.machine_rank}: from 0 to {args.num_machines - 1} "
            f"with --num_machines {args.num_machines}"
        )
    address = _address(args.dist_url)
    if args.num_machines > 1 and address is None:
        raise InputError(
            f"--num_machines {args.num_machines}: needs --dist-url tcp://HOST:PORT, "
            "an address of machine 0 that all machines reach"
        )
    return Processes(here, args.num_machines, args.machine_rank, address)


def _address(url: str | None) -> str | None:
    if url in (None, "auto"):
        return None
    parts = re.fullmatch(r"tcp://([^\s/:]+):(\d{1,5})/?", str(url))
    if parts is None or not 0 < int(parts[2]) < 1 << 16:
        raise InputError(f"--dist-url {url}: must read tcp://HOST:PORT, as tcp://10.0.0.1:29500")
    return f"{parts[1]}:{parts[2]}"


def _check_batch(batch_size: int, processes: int) -> None:
    if not 1 <= batch_size <= LARGEST_BATCH:
        raise InputError(f"-b {batch_size}: from 1 to {LARGEST_BATCH}")
    if remainder := batch_size % processes:
        below = batch_size - remainder
        would = [f"-b {each}" for each in (below, below + processes) if each]
        raise InputError(
            f"-b {batch_size}: does not divide among {processes} processes; "
            f"{' or '.join(would)} does"
        )

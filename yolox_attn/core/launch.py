"""One run in several processes: started here by -d N or by torchrun, joined into one group."""

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist

from yolox_attn import device as devices
from yolox_attn.core.supervise import supervise
from yolox_attn.errors import InputError, TrainingError

LAUNCHER = "YOLOX_ATTN_LAUNCHER"  # the process id of the launcher, for its ranks
# Only the silence of a machine that is gone lasts so long: a rank that ends closes its connections,
# and the launcher stops the others. Rank 0 may judge a large set for minutes while they wait.
TIMEOUT = timedelta(minutes=30)
LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")  # gloo's words


def launched() -> bool:
    """Tell whether this process is one rank of a run: of torchrun, or of `launch`."""
    world = os.environ.get("WORLD_SIZE", "")
    several = "RANK" in os.environ and world.isdigit() and int(world) > 1
    return several or "TORCHELASTIC_RUN_ID" in os.environ


@contextmanager
def process_group(device: torch.device, backend: str | None = None) -> Iterator[None]:
    """Be one of the run's processes meanwhile; alone it does nothing.

    Args:
        device: of this process.
        backend: "nccl" or "gloo"; None is what suits the device.

    Raises:
        InputError: the other processes cannot be reached.
        TrainingError: another process ended in the middle.
    """
    if not launched():
        yield
        return
    devices.use(device)
    try:
        dist.init_process_group(backend or devices.collective_backend(device), timeout=TIMEOUT)
    except (ValueError, dist.DistError) as error:
        where = ":".join(os.environ.get(key, "?") for key in ("MASTER_ADDR", "MASTER_PORT"))
        raise InputError(f"cannot join the other processes at {where}: {_line(error)}") from error
    _end_with_launcher()
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, TrainingError) and lost_rank(error):
            raise TrainingError(
                "lost another rank of the run, which ended before this one"
            ) from error
        raise  # the group is left as it is: to take leave of ranks that are gone would hang
    dist.destroy_process_group()


def lost_rank(error: BaseException) -> bool:
    """Tell whether `error` says that another process of the group is gone."""
    told = any(words in str(error) for words in LOST)
    return isinstance(error, dist.DistBackendError) or (isinstance(error, RuntimeError) and told)


def launch(  # noqa: PLR0913 - the host's flags
    command: str,
    argv: Sequence[str],
    processes: int,
    *,
    machines: int = 1,
    machine_rank: int = 0,
    address: str | None = None,
) -> int:
    """Run `yolox-attn COMMAND ARGV` in `processes` processes on this machine, and wait for them.

    Args:
        command: as on the command line; a rank finds in its environment which one it is.
        argv: the words behind the command.
        processes: on this machine, the same number on each.
        machines: how many there are.
        machine_rank: which of them this is, from 0.
        address: "HOST:PORT" of machine 0; None for one machine finds a free port.

    Returns:
        the exit code that all ranks gave or that the first to fail gave: 0, 2 or 75.

    Raises:
        InputError: the port is taken.
        TrainingError: a rank died; all were stopped.
    """
    store = None  # lives as long as the ranks: it is where they meet
    if address is None:
        store = dist.TCPStore(  # type: ignore[attr-defined] # torch does not list it
            "127.0.0.1", 0, is_master=True, wait_for_workers=False
        )
        address = f"127.0.0.1:{store.port}"
    elif machine_rank == 0:
        _check_free(address)
    environments = _environments(
        processes, machines, machine_rank, address, own_store=store is not None
    )
    return supervise([sys.executable, "-m", "yolox_attn.cli", command, *argv], environments)


def _environments(
    processes: int, machines: int, machine_rank: int, address: str, *, own_store: bool
) -> list[dict[str, str]]:
    """Return this machine's ranks' environments, in torchrun's words."""
    host, _, port = address.rpartition(":")
    first = machine_rank * processes
    shared = {
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "WORLD_SIZE": str(machines * processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "TORCHELASTIC_USE_AGENT_STORE": str(own_store),
        "OMP_NUM_THREADS": str(max(1, devices.usable_cores() // processes)),
        LAUNCHER: str(os.getpid()),
    }
    if given := os.environ.get("OMP_NUM_THREADS"):
        shared["OMP_NUM_THREADS"] = given
    return [
        {**os.environ, **shared, "RANK": str(first + number), "LOCAL_RANK": str(number)}
        for number in range(processes)
    ]


def _check_free(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        # torch listens on every interface; an option as torch's lets a port just left be taken.
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("", int(port)))
    except OSError as error:
        raise InputError(f"--dist-url tcp://{host}:{port}: {error.strerror}") from error


def _end_with_launcher() -> None:
    """Ask this rank to stop, as a scheduler would, when its launcher is killed outright."""
    launcher = os.environ.get(LAUNCHER)
    if launcher is None or int(launcher) != os.getppid():
        return

    def watch() -> None:
        while os.getppid() == int(launcher):
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="launcher", daemon=True).start()


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

"""One run in several processes: started here by -d N or by torchrun, joined into one group.

They stand or fall together, and get the signals that are meant for all of them.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist

from yolox_attn import device as devices
from yolox_attn.console import echo, shortlist
from yolox_attn.errors import InputError, Interrupted, TrainingError
from yolox_attn.launched import LAUNCHER, SAVE, launched
from yolox_attn.machine import usable_cores
from yolox_attn.signals import handled, signal_name

EXPLAINED = (2, 130, Interrupted.CODE)  # exit codes of a rank that has said why it ended
POLL = 0.05  # seconds
LEAVE = 10.0  # seconds for the others to notice that a rank is gone
END = 20.0  # further seconds after SIGTERM; then SIGKILL
# Only the silence of a machine that is gone lasts so long: a rank that ends closes its connections,
# and the launcher stops the others. Rank 0 may judge a large set for minutes while they wait.
TIMEOUT = timedelta(minutes=30)
RENDEZVOUS = timedelta(minutes=10)  # for all ranks to join
ATTEMPT = timedelta(seconds=2)  # of this time
NEEDED = ("MASTER_ADDR", "MASTER_PORT", "RANK", "WORLD_SIZE")  # environment of a rank
LOST = ("Connection closed by peer", "Connection reset by peer", "Broken pipe")  # as gloo says it
Rank = subprocess.Popen[bytes]
Value = TypeVar("Value")


@contextmanager
def process_group(device: torch.device, backend: str | None = None) -> Iterator[None]:
    """Be one of the run's processes meanwhile; alone it does nothing.

    Args:
        device: of this process.
        backend: "nccl" or "gloo"; None is what suits the device.

    Raises:
        InputError: the other processes cannot be reached, or do not join.
        TrainingError: another process ended in the middle.
    """
    if not launched():
        yield
        return
    devices.use(device)
    where = ":".join(os.environ.get(key, "?") for key in ("MASTER_ADDR", "MASTER_PORT"))
    try:
        store, rank, world = _rendezvous(where)
        dist.init_process_group(
            backend or devices.collective_backend(device),
            store=store,
            rank=rank,
            world_size=world,
            timeout=TIMEOUT,
        )
    except (ValueError, OSError, dist.DistError) as error:
        raise InputError(f"cannot join the other processes at {where}: {_line(error)}") from error
    try:
        yield
    except RuntimeError as error:  # the group is not left: while ranks are gone that would hang
        if isinstance(error, TrainingError) or not _lost_rank(error):
            raise
        raise TrainingError("lost another rank of the run, which ended before this one") from error
    dist.destroy_process_group()


def launch(  # noqa: PLR0913 - YOLOX's flags
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
        argv: what comes after the command.
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
    store = None  # must exist as long as the ranks, which join through it
    if address is None:
        store = dist.TCPStore(  # type: ignore[attr-defined] # torch does not list it
            "127.0.0.1", 0, is_master=True, wait_for_workers=False
        )
        address = f"127.0.0.1:{store.port}"
    elif machine_rank == 0:
        _check_free(address)
    host, _, port = address.rpartition(":")
    threads = os.environ.get("OMP_NUM_THREADS") or str(max(1, usable_cores() // processes))
    shared = {  # the names are torchrun's
        **os.environ,
        "MASTER_ADDR": host,
        "MASTER_PORT": port,
        "WORLD_SIZE": str(machines * processes),
        "LOCAL_WORLD_SIZE": str(processes),
        "TORCHELASTIC_USE_AGENT_STORE": str(store is not None),
        "OMP_NUM_THREADS": threads,
        LAUNCHER: str(os.getpid()),
    }
    first = machine_rank * processes
    environments = [
        {**shared, "RANK": str(first + number), "LOCAL_RANK": str(number)}
        for number in range(processes)
    ]
    return supervise([sys.executable, "-m", "yolox_attn.cli", command, *argv], environments)


def supervise(command: Sequence[str], environments: Sequence[Mapping[str, str]]) -> int:
    """Run the command once in each environment until all have ended; one that fails ends all.

    SIGTERM and Ctrl-C are passed on, once for each time they come, and the processes decide.

    Args:
        command: program and arguments.
        environments: of each rank; RANK is its number.

    Returns:
        0, or the code of the first that failed if that one has said why: 2, 75 or 130.

    Raises:
        TrainingError: a rank failed in any other way.
    """
    ranks: list[Rank] = []
    with handled(lambda number, _: _signal(ranks, signal.Signals(number))):
        try:
            for environment in environments:
                # A session of its own: Ctrl-C reaches it through here, once.
                ranks.append(
                    subprocess.Popen(command, env=dict(environment), start_new_session=True)
                )
            number, code = _wait(ranks)
        finally:
            for rank in ranks:
                _kill(rank)
    if code == 0 or code in EXPLAINED:
        return code
    name = f" ({signal_name(-code)})" if code < 0 else ""
    number = int(environments[number].get("RANK", number))
    raise TrainingError(f"rank {number} ended with exit code {code}{name}; all ranks were stopped")


def _wait(ranks: Sequence[Rank]) -> tuple[int, int]:
    """Wait until all have ended: number and exit code of the one that failed, else (0, 0).

    Ranks that end because another is gone may be seen to end before it: the cause is looked for
    among all that ended before any was told to stop.
    """
    first: tuple[int, int] | None = None
    since, stopping = 0.0, False
    while None in [rank.poll() for rank in ranks]:  # poll all: returncode is known once polled
        if not stopping and (failed := _first_failure(ranks)):
            since = time.monotonic() if first is None else since
            first = failed
        if first is not None:
            waited = time.monotonic() - since - (SAVE if first[1] == Interrupted.CODE else LEAVE)
            if waited > 0 and not stopping:
                stopping = True
                _signal(ranks, signal.SIGTERM)
            if waited > END:
                for rank in ranks:
                    _kill(rank)
        time.sleep(POLL)
    return (first if stopping else _first_failure(ranks)) or (0, 0)


def _first_failure(ranks: Sequence[Rank]) -> tuple[int, int] | None:
    """Return number and code; of several the cause: what lost another rank ends with 1."""
    failed = [(number, rank.returncode) for number, rank in enumerate(ranks) if rank.returncode]
    return min(failed, key=lambda each: (each[1] > 0, each[1] == 1, each[0]), default=None)


def _signal(ranks: Sequence[Rank], number: signal.Signals) -> None:
    for rank in list(ranks):
        rank.send_signal(number)  # does nothing to one that has ended


def _kill(rank: Rank) -> None:
    """End a rank and the loading workers in its session."""
    if rank.poll() is None:
        if hasattr(os, "killpg"):
            os.killpg(rank.pid, signal.SIGKILL)
        else:  # Windows
            rank.kill()
        rank.wait()


def _lost_rank(error: BaseException) -> bool:
    """Tell whether `error` says that another process of the group is gone."""
    return isinstance(error, dist.DistBackendError) or any(words in str(error) for words in LOST)


def _check_free(address: str) -> None:
    host, _, port = address.rpartition(":")
    try:
        # torch listens on every interface; an option as torch's lets a port just left be taken.
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            trial.bind(("", int(port)))
    except OSError as error:
        raise InputError(f"--dist-url tcp://{host}:{port}: {error.strerror}") from error


def _rendezvous(where: str) -> tuple[Any, int, int]:
    """Return the store that all ranks have joined, this one's number, and how many they are.

    Raises:
        ValueError: the environment does not say where.
        OSError: rank 0 cannot be reached within RENDEZVOUS.
        DistError: others do not join within RENDEZVOUS.
    """
    if missing := [key for key in NEEDED if key not in os.environ]:
        raise ValueError(f"{missing[0]} is not set")
    rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    here = os.environ.get("LOCAL_WORLD_SIZE", str(world))
    if os.environ.get("LOCAL_RANK") == "0" and here != str(world):
        limit = f"{RENDEZVOUS.total_seconds() / 60:g} minutes"
        echo(f"waiting at most {limit} for the other machines at {where}", err=True)
    end = time.monotonic() + RENDEZVOUS.total_seconds()
    by_launcher = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    if rank == 0 and not by_launcher:
        store = _store(server=True)
    else:
        store = _until(end, lambda: _store(server=False))
    store.set(f"rank{rank}", "")
    everyone = [f"rank{number}" for number in range(world)]
    try:
        _until(end, lambda: store.wait(everyone, ATTEMPT))
    except dist.DistStoreError as error:
        missing = [str(number) for number in range(world) if not store.check([f"rank{number}"])]
        raise dist.DistStoreError(f"rank {shortlist(missing)} of {world} did not join") from error
    store.set_timeout(TIMEOUT)
    return store, rank, world


def _store(*, server: bool) -> Any:
    """Open torch's key-value store through which ranks join: as its server, or as a client."""
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    if not server:  # torch would say at length, again and again, that nobody is there yet
        socket.create_connection(address, ATTEMPT.total_seconds()).close()
    return dist.TCPStore(  # type: ignore[attr-defined] # torch does not list it
        *address,
        is_master=server,
        timeout=ATTEMPT,
        wait_for_workers=False,
    )


def _until(end: float, attempt: Callable[[], Value]) -> Value:
    """Return what `attempt` gives, tried until `end`: between two of them Ctrl-C is heard."""
    while True:
        try:
            return attempt()
        except (OSError, dist.DistStoreError, dist.DistNetworkError):
            if time.monotonic() > end:
                raise
            time.sleep(POLL)


def _line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

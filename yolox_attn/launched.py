"""Is this process a rank of a run, does its launcher still live, and how does it leave?

Known before torch is imported, which takes longer than much that can happen to a launcher.
"""

import atexit
import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from yolox_attn.errors import TrainingError

LAUNCHER = "YOLOX_ATTN_LAUNCHER"  # the process id of the launcher, for its ranks
SAVE = 600.0  # seconds for a rank to save in after it has been asked to stop


def launched() -> bool:
    """Tell whether this process is one rank of a run: of torchrun, or of `core.launch`."""
    world = os.environ.get("WORLD_SIZE", "")
    several = "RANK" in os.environ and world.isdigit() and int(world) > 1
    return several or "TORCHELASTIC_RUN_ID" in os.environ


def end_with_launcher() -> None:
    """Stop this rank, as a scheduler would, as soon as its launcher has been killed outright.

    Raises:
        TrainingError: it is gone already.
    """
    launcher = os.environ.get(LAUNCHER)
    if launcher is None or not hasattr(os, "killpg"):  # Windows gives orphans no other parent
        return
    if os.getppid() != int(launcher):
        raise TrainingError("the process that launched this rank is gone; nothing was done")

    def watch() -> None:
        while os.getppid() == int(launcher):
            time.sleep(1)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(SAVE)
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="launcher", daemon=True).start()


def leave_last(code: Callable[[], int]) -> None:
    """At the very end of this process, with all that others registered done, leave with `code()`.

    To be called before anything else is imported. The interpreter's own end is left out. It ends
    each thread that asks for it then; one of torch's, inside C++, ends the process by SIGABRT
    ("terminate called without an active exception"), though the rank has done all its work.
    """

    def leave() -> None:
        try:
            for stream in filter(None, (sys.stdout, sys.stderr)):
                with contextlib.suppress(OSError, ValueError):  # nobody can read it any more
                    stream.flush()
        finally:
            os._exit(code())

    atexit.register(leave)

"""A hidden folder beside what is being made, removed also where a signal ends the process."""

import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

ENDING = [each for each in ("SIGTERM", "SIGHUP") if hasattr(signal, each)]  # Windows has no SIGHUP


@contextmanager
def scratch_folder(place: Path, prefix: str = ".making-") -> Iterator[Path]:
    """Make a folder in `place` for the time of the block, and `unwind_signals` meanwhile."""
    with unwind_signals(), tempfile.TemporaryDirectory(dir=place, prefix=prefix) as folder:
        yield Path(folder)


@contextmanager
def unwind_signals() -> Iterator[None]:
    """Let SIGTERM and SIGHUP unwind the process before they end it, where nobody listens to them.

    So what the block has begun is put away, as after Ctrl-C. The exit code is what a shell says of
    a program so ended, 128 + n.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for name in ENDING:
                number = getattr(signal, name)
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _unwind)
                    stack.callback(signal.signal, number, signal.SIG_DFL)
        yield


def _unwind(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)

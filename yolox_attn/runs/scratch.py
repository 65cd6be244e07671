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
    """Make a folder in `place` for the time of the block.

    SIGTERM and SIGHUP, where nobody listens to them, would end the process there and then; here
    they unwind it first. Its exit code is what a shell says of a program so ended, 128 + n.
    """
    with ExitStack() as stack:
        if threading.current_thread() is threading.main_thread():
            for name in ENDING:
                number = getattr(signal, name)
                if signal.getsignal(number) is signal.SIG_DFL:
                    signal.signal(number, _unwind)
                    stack.callback(signal.signal, number, signal.SIG_DFL)
        yield Path(stack.enter_context(tempfile.TemporaryDirectory(dir=place, prefix=prefix)))


def _unwind(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)

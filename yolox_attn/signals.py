"""SIGTERM, SIGHUP and Ctrl-C as a request to stop, which is met where nothing is lost or left."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

from yolox_attn.console import say_at_once
from yolox_attn.errors import Interrupted

# What asks a run to stop; SIGHUP, which Windows lacks, comes when the terminal goes away.
SIGNALS = (signal.SIGTERM, signal.SIGINT, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else []))
OF_CHILDREN = (signal.SIGCHLD,) if hasattr(signal, "SIGCHLD") else ()  # not on Windows
Handler = Callable[[int, FrameType | None], None] | signal.Handlers
# A launcher passes on the signal that a process group has already got: that is still the first.
SAME_REQUEST = 3.0  # seconds


def signal_name(number: int) -> str:
    """Return "SIGTERM" of 15; of a real-time signal, which has no name of its own, its number."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


@contextmanager
def handled(handler: Handler, numbers: Iterable[int] = SIGNALS) -> Iterator[None]:
    """Let `handler` get these signals meanwhile, except those that are set to be ignored.

    So a job that a shell runs in the background goes on ignoring Ctrl-C. Only the main thread can
    listen; in any other the signals keep their meaning.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [each for each in numbers if signal.getsignal(each) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)


@contextmanager
def unwinding() -> Iterator[None]:
    """Let signals that would end the process there and then unwind it first, as Ctrl-C does.

    So temporary folders and child processes go with it. The exit code is what a shell says of a
    program so ended, 128 + n. Whoever listens to a signal already goes on hearing it.
    """
    with handled(_unwind, [each for each in SIGNALS if signal.getsignal(each) is signal.SIG_DFL]):
        yield


def _unwind(number: int, _: FrameType | None) -> None:
    raise SystemExit(128 + number)


class StopRequest:
    """Whether this process was asked to stop, and by which signal.

    Args:
        quiet: do not say that a request was received.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet
        self.signal: str | None = None
        self._received = 0.0
        self._at_once = False

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Turn the signals into requests meanwhile; a later Ctrl-C does not wait any more.

        A signal to the whole process group ends the loading workers too. torch would raise from
        SIGCHLD then, in the middle of a step; here fetching the next batch fails.
        """
        with handled(self._receive), handled(signal.SIG_DFL, OF_CHILDREN):
            yield

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Mark work that can end anywhere, as an evaluation: a request ends it.

        Raises:
            Interrupted: asked to stop before or meanwhile.
        """
        self._at_once = True
        try:
            if self.signal:
                raise Interrupted(self.signal)
            yield
        finally:
            self._at_once = False

    def _receive(self, number: int, _: FrameType | None) -> None:
        now, again = time.monotonic(), self.signal is not None
        if again and number == signal.SIGINT and now - self._received > SAME_REQUEST:
            raise KeyboardInterrupt
        self.signal = signal_name(number)
        if not again:
            self._received = now
            if not self.quiet:
                say_at_once(f"{self.signal}: saving at the end of this step ...")
        if self._at_once:
            self._at_once = False
            raise Interrupted(self.signal)

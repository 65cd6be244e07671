"""What a person at the terminal reads: one way to print, and words that fit any text."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, TextIO

UNREAD = {errno.EPIPE, errno.EIO}  # the reader has gone: of a pipe, or with the terminal


LONGEST = 1500  # characters of a line
PLAIN = str.maketrans({"±": "+-", "…": "..."})


def write_anywhere() -> None:
    """Let the output streams take any text: what their encoding lacks is spelt in ASCII.

    A terminal, or a log, may know ASCII alone, and a file's name may be no text at all.
    """
    codecs.register_error(__name__, _plain)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=__name__)


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    part = error.object[error.start : error.end].translate(PLAIN)
    return part.encode("ascii", "backslashreplace").decode(), error.end


class _Outliving:
    """A stream that falls silent, and raises nothing, when nobody reads it any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with silenced(self._stream):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with silenced(self._stream):
            self._stream.flush()


@contextmanager
def silenced(stream: TextIO) -> Iterator[None]:
    """Lead `stream` into nothing if what is written meanwhile finds no reader."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNREAD:
            raise
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())  # also for what the stream still holds, and for children
        os.close(nowhere)


@contextmanager
def outliving_readers() -> Iterator[None]:
    """Let no output stream end what is done meanwhile: `| tee log`, and a terminal, may go away."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = map(_Outliving, before)
    try:
        yield
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sys.stdout, sys.stderr = before


def say_at_once(line: str) -> None:
    """Write a line to stderr from a signal's handler, where neither logging nor print may be."""
    try:
        os.write(2, f"{line}\n".encode())
    except OSError as error:
        if error.errno not in UNREAD:
            raise


def echo(text: str, *, err: bool = False) -> None:
    """Print at once: a product to stdout, progress and remarks (`err`) to stderr.

    Of what would move a terminal's cursor only the ends of lines are left.
    """
    print(in_lines(text), file=sys.stderr if err else sys.stdout, flush=True)


def progress(line: str) -> None:
    """Say on stderr how far it is, so that stdout holds the product alone."""
    echo(line, err=True)


def called_as(command: str) -> str:
    """Return how this program is called for `command`: "python tools/eval.py", "yolox-attn eval".

    As the user has called it: from a checkout, by the installed script, or as a module.
    """
    program = PurePath(sys.argv[0])
    if program.parent.name == "tools":
        return f"python {program.with_name(f'{command}.py')}"
    if program.name == "__main__.py" and program.parent.name == "cli":
        return f"python -m yolox_attn.cli {command}"
    return f"yolox-attn {command}"


def count(number: int, thing: str, things: str | None = None) -> str:
    """Return "1 seed", "3 seeds"; `things` where the plural is not made by an s."""
    return f"{number} {thing if number == 1 else things or f'{thing}s'}"


def shortlist(items: Iterable[str], most: int = 3) -> str:
    """Join the first few items, and say with dots that there are more."""
    items = list(items)
    return ", ".join(map(printable, items[:most])) + (", ..." if len(items) > most else "")


def in_lines(text: str) -> str:
    """Return `text` with each of its lines printable: names in it may hold anything."""
    return "\n".join(map(printable, text.split("\n")))


def as_line(text: str) -> str:
    """Return `text` as one line that a person can read: printable, and its middle cut if long."""
    line = printable(text)
    if len(line) <= LONGEST:
        return line
    left_out = len(line) - LONGEST
    return f"{line[: LONGEST - 300]} ... ({left_out} characters left out) ... {line[-300:]}"


def printable(text: str) -> str:
    """Return `text` with escapes in place of what would break a line or could not be seen."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

"""The ways a command ends before its work is done, each said in one line without a traceback."""

import traceback
from pathlib import Path


class Ending(Exception):
    """What ends a command; `already_reported` where another process of the run has said it."""

    already_reported = False


class InputError(Ending, ValueError):
    """What the user gave cannot work: the message says what, where, and what is allowed.

    The tools print it as one line and exit with 2; anything unforeseen keeps its traceback, exit 1.
    """


class TrainingError(Ending, RuntimeError):
    """Training itself went wrong (not finite, out of memory): one line, exit 1."""


class Interrupted(Ending):
    """Stopped by SIGTERM or Ctrl-C after saving: one line, exit `CODE`.

    75 is EX_TEMPFAIL of sysexits.h: "try again later", which a scheduler can take for "requeue".
    """

    CODE = 75


def line_in(error: BaseException, file: str | Path) -> str:
    """Return " (my_exp.py, line 3)": the last line of `file` that `error` passed; or nothing."""
    path = Path(file)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if Path(frame.filename) == path]
    return f" ({path.name}, line {lines[-1]})" if lines else ""


def unwrapped(error: InputError) -> InputError:
    """Return the error as a loading worker raised it: torch puts that process's traceback round it.

    An error of this process is returned as it is.
    """
    text = str(error)
    if not text.startswith("Caught "):
        return error
    return InputError(text.strip().splitlines()[-1].partition("InputError: ")[2] or text)

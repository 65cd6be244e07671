"""The ways a command ends before its work is done, each told in one line without a traceback."""


class Ending(Exception):
    """What ends a command; `told_elsewhere` is set where another process of the run tells it."""

    told_elsewhere = False


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

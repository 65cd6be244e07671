"""The one kind of failure that is the user's to mend: told in one line, without a traceback."""


class InputError(ValueError):
    """What the user gave cannot work: the message says what, where, and what is allowed.

    The tools print it as one line and exit with 2; anything else keeps its traceback and exits 1.
    """

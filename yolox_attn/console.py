"""What a person at the terminal reads: one way to print, and words that fit any text."""

import sys
from collections.abc import Iterable
from pathlib import PurePath


def echo(text: str, *, err: bool = False) -> None:
    """Print at once: a product to stdout, progress and remarks (`err`) to stderr."""
    print(text, file=sys.stderr if err else sys.stdout, flush=True)


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


def count(number: int, thing: str) -> str:
    """Return "1 seed", "3 seeds"."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def shortlist(items: Iterable[str], most: int = 3) -> str:
    """Join the first few items, and say with dots that there are more."""
    items = list(items)
    return ", ".join(map(printable, items[:most])) + (", ..." if len(items) > most else "")


def printable(text: str) -> str:
    """Return `text` with escapes in place of what would break a line or could not be seen."""
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )

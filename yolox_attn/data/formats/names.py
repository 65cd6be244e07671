"""Class names and text files of other layouts: UTF-8 with or without a mark, any line ends."""

from collections.abc import Sequence
from pathlib import Path

from yolox_attn.console import printable
from yolox_attn.errors import InputError

CLASS_FILES = ("classes.txt", "obj.names")


def read_lines(file: Path) -> list[str]:
    """Return the lines of a text file.

    Raises:
        InputError: it cannot be read, or is no UTF-8.
    """
    try:
        return file.read_bytes().decode("utf-8-sig").splitlines()
    except OSError as error:
        raise InputError(f"cannot read {printable(str(file))}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{printable(str(file))} is no UTF-8 text: byte {error.start}") from error


def listed_classes(folders: Sequence[Path]) -> list[str] | None:
    """Return the names in the first classes.txt or obj.names of the folders; None without one.

    Raises:
        InputError: it is empty, or a name stands in it twice.
    """
    for folder in folders:
        for name in CLASS_FILES:
            file = folder / name
            if file.is_file():
                return checked_classes([line.strip() for line in read_lines(file)], str(file))
    return None


def checked_classes(names: Sequence[str], origin: str) -> list[str]:
    """Return the names without empty ones at the end.

    Raises:
        InputError: there is none, one is empty, or one is listed twice.
    """
    names = list(names)
    while names and not names[-1]:
        names.pop()
    if not names or not all(names):
        raise InputError(f"{origin}: {'an empty class name' if names else 'no class names'}")
    if twice := next((name for place, name in enumerate(names) if name in names[:place]), None):
        raise InputError(f"{origin}: class {twice!r} is listed twice")
    return names

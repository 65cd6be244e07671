"""What a loader cannot read, told as it was found: in one line, whichever process found it."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from yolox_attn.errors import InputError

Batch = TypeVar("Batch")


def readable(loader: Iterable[Batch]) -> Iterator[Batch]:
    """Yield the loader's batches.

    Raises:
        InputError: an image cannot be read.
    """
    batches = iter(loader)
    while True:
        try:
            batch = next(batches)
        except StopIteration:
            return
        except InputError as error:
            raise unwrapped(error) from None
        yield batch


def unwrapped(error: InputError) -> InputError:
    """Return the error as a loading worker raised it: torch puts that process's traceback round it.

    An error of this process is returned as it is.
    """
    text = str(error)
    if not text.startswith("Caught "):
        return error
    return InputError(text.strip().splitlines()[-1].partition("InputError: ")[2] or text)

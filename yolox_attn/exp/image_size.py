"""The image sizes of an experiment: what is allowed, what it trains at, and all of them at once."""

import math
from collections.abc import Collection
from typing import Any

from yolox_attn.errors import InputError

STRIDE = 32  # of the coarsest map: every side is a multiple of it
SIZE_SETTINGS = ("input_size", "test_size", "random_size", "multiscale_range")


def check_sizes(exp: Any) -> None:
    """Refuse sizes that the strides do not divide, and ranges of training sizes that reach 0.

    Raises:
        InputError: which, and what is allowed.
    """
    for key in ("input_size", "test_size"):
        size = getattr(exp, key)
        if len(size) != 2 or any(side < STRIDE or side % STRIDE for side in size):
            raise InputError(f"{key} {tuple(size)}: height and width must be multiples of {STRIDE}")
    nominal, spread = exp.input_size[0] // STRIDE, exp.multiscale_range
    if not hasattr(exp, "random_size"):
        if not 0 <= spread < nominal:
            raise InputError(
                f"multiscale_range {spread}: 0 to {nominal - 1} with input_size {exp.input_size}"
            )
        return
    size = exp.random_size
    whole = isinstance(size, list | tuple) and all(isinstance(end, int) for end in size)
    if not whole or len(size) != 2 or not 1 <= size[0] <= size[1]:
        shown = tuple(size) if whole else size
        raise InputError(f"random_size {shown}: smallest and largest height over 32, from 1")


def height_range(exp: Any) -> tuple[int, int]:
    """Return the smallest and the largest height drawn in training, over 32.

    YOLOX's rule: random_size where the Exp has it, else input_size and multiscale_range around it.
    Without `multiscale` input_size alone.
    """
    nominal = exp.input_size[0] // STRIDE
    if not getattr(exp, "multiscale", True):
        return nominal, nominal
    if hasattr(exp, "random_size"):
        low, high = exp.random_size
        return int(low), int(high)
    return nominal - exp.multiscale_range, nominal + exp.multiscale_range


def training_size(exp: Any, height: int) -> tuple[int, int]:
    """Return height and width in pixels of training images whose height over 32 is `height`."""
    rows, columns = exp.input_size
    return STRIDE * height, STRIDE * int(height * columns / rows)


def extreme_sizes(exp: Any) -> list[tuple[int, int]]:
    """Return the smallest and the largest (height, width) that the network will see.

    And, where there is one, the second smallest: of two neighbours one has an odd number of cells.
    """
    low, high = height_range(exp)
    sizes = [training_size(exp, height) for height in {low, min(low + 1, high), high}]
    sizes += [(size[0], size[1]) for size in (exp.input_size, exp.test_size)]
    by_area = sorted(set(sizes), key=math.prod)
    return list(dict.fromkeys([*by_area[:2], by_area[-1]]))


def sizes_in_words(exp: Any) -> str:
    """Return "trained at heights 256 to 480 (input_size 320x320), judged at 320x320"."""
    low, high = (STRIDE * height for height in height_range(exp))
    nominal, judged = ("x".join(map(str, size)) for size in (exp.input_size, exp.test_size))
    spread = f"at {nominal}" if low == high == exp.input_size[0] else f"at heights {low} to {high}"
    return f"trained {spread} (input_size {nominal}), judged at {judged}"


def size_overrides(exp: Any, side: int, given: Collection[str] = ()) -> list[str]:
    """Return the overrides that make `side` the size of training and test images together.

    The range of training sizes is scaled with it, and rounded to whole multiples of 32.

    Args:
        exp: the experiment, its sizes as its file has them.
        side: height and width in pixels.
        given: the keys of the overrides that are given by themselves.

    Raises:
        InputError: no multiple of 32, an experiment whose images are not square, or one of these
            settings is given too.
    """
    if side < STRIDE or side % STRIDE:
        raise InputError(f"--size {side}: must be a multiple of {STRIDE}, at least {STRIDE}")
    if twice := [key for key in SIZE_SETTINGS if key in given]:
        raise InputError(f"--size {side} and {twice[0]}: --size sets it; choose one")
    height, width = exp.input_size
    if height != width:
        raise InputError(
            f"--size {side}: this experiment's input_size is {height}x{width}; set input_size, "
            "test_size and random_size by themselves"
        )
    factor, square = side / height, f"({side}, {side})"
    words = ["input_size", square, "test_size", square]
    if hasattr(exp, "random_size"):
        low, high = (max(1, _rounded(factor * each)) for each in exp.random_size)
        return [*words, "random_size", f"({low}, {high})"]
    spread = min(_rounded(factor * exp.multiscale_range), side // STRIDE - 1)
    return [*words, "multiscale_range", str(spread)]


def _rounded(number: float) -> int:
    return math.floor(number + 0.5)  # round() takes 2.5 to 2

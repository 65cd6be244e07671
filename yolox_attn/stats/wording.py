"""The verdict as sentences that a tired reader cannot misread, in AP points (0-100)."""

import math

from yolox_attn.stats.settle import Settling
from yolox_attn.stats.verdict import MIN_SEEDS, Amount, Evidence, Verdict, Word


def points(value: float) -> str:
    """A difference with its sign, two decimals; more where they would hide that it is not 0.

    >>> points(0.5), points(-0.004), points(0.0)
    ('+0.50', '-0.004', '0.00')
    """
    if value == 0:
        return "0.00"
    if abs(value) >= 0.005:
        return f"{value:+.2f}"
    if abs(value) < 1e-6:
        return "+0.000001" if value > 0 else "-0.000001"
    return f"{value:+.{-math.floor(math.log10(abs(value)))}f}"


def verdict_sentence(name: str, verdict: Verdict, found: Evidence, *, sesoi: float = 0.5) -> str:
    """One sentence for the first screen of a report; the word comes first.

    Args:
        name: of the variant.
        verdict: from `decide` on `found` with this `sesoi`.
        found: the numbers behind it.
        sesoi: the smallest effect worth having, AP points.
    """
    if verdict.word is Word.CANNOT_TELL:
        return f"Cannot tell whether {name} helps or hurts: {_why_open(found, sesoi)}."
    if verdict.word is Word.NO_DIFFERENCE:
        return f"{name} makes no worthwhile difference: {_why_none(found, sesoi)}."
    return f"{name} {verdict.word.value}{_how_much(verdict, sesoi)}: {_numbers(found)}."


def checkpoints_sentence(ends: tuple[float, float], alpha: float) -> str:
    """One sentence on what one run a side does show: how the two checkpoints differ.

    Args:
        ends: of `image_interval`, AP points.
        alpha: its confidence is 1 - alpha.
    """
    return (
        f"Of these two checkpoints alone, on images like these: {100 - 100 * alpha:g} % interval"
        f" {_range(ends)} AP."
    )


def settling_sentence(settling: Settling, found: Evidence) -> str:
    """One sentence on what would settle an open case: numbers in all, and how many more that is.

    Args:
        settling: from `settle`.
        found: what the study had.
    """
    seeds, images = found.seeds, found.images
    unit = "groups of images" if found.grouped else "images"
    more_seeds, more_images = settling.both or (settling.seeds, settling.images)
    ways = []
    if more_seeds is not None:
        ways.append(f"train about {more_seeds} seeds a side in all ({more_seeds - seeds} more)")
    if more_images is not None:
        ways.append(f"test on about {more_images} {unit} in all ({more_images - images} more)")
    if not ways:
        return "No affordable number of seeds and images would settle it."
    joint = " and " if settling.both else ", or "
    return (
        f"To settle it, {joint.join(ways)}; {_alone(settling, seeds)}; a rough number: it rests on"
        f" the noise of {_count(seeds)} and is enough four times in five."
    )


def _alone(settling: Settling, seeds: int) -> str:
    """Say whether one of seeds and images would do without the other, and why not."""
    if settling.both is not None:
        return "neither alone would do"
    if settling.seeds is not None and settling.images is not None:
        return "either alone would do"
    if settling.seeds is None:
        return "more seeds alone would not do, as the noise of the test images stays"
    if seeds < MIN_SEEDS:
        return f"more images alone would not do, as a verdict takes {MIN_SEEDS} seeds"
    return "more images alone would not do, as the noise of the seeds stays"


def _how_much(verdict: Verdict, sesoi: float) -> str:
    if verdict.amount is Amount.WORTHWHILE:
        amount = "an amount that matters" if verdict.word is Word.HURTS else "a worthwhile amount"
        return f" by {amount} (at least {sesoi:.2f} AP)"
    if verdict.amount is Amount.SMALL:
        return f", but by less than the {sesoi:.2f} AP that would matter"
    return f"; whether by the {sesoi:.2f} AP that would matter is open"


def _numbers(found: Evidence) -> str:
    return f"{points(found.difference)} AP, {_interval(found)}, {_p(found)}, {_size(found)}"


def _interval(found: Evidence) -> str:
    return f"{100 - 100 * found.alpha:g} % interval {_range(found.interval)}"


def _range(ends: tuple[float, float]) -> str:
    return f"{points(ends[0])} to {points(ends[1])}"


def _p(found: Evidence) -> str:
    number = "p < 0.001" if found.p_value < 0.001 else f"p = {found.p_value:.3f}"
    return f"{number} (Holm, {found.family} variants)" if found.family > 1 else number


def _size(found: Evidence) -> str:
    unit = "groups of test images" if found.grouped else "test images"
    return f"{_count(found.seeds)}, {found.images} {unit}"


def _count(seeds: int) -> str:
    return "1 seed" if seeds == 1 else f"{seeds} seeds"


def _why_none(found: Evidence, sesoi: float) -> str:
    if found.identical:
        return (
            f"both sides are identical on every image ({_size(found)}),"
            " as separate trainings hardly ever are"
        )
    narrow = f"{100 - 200 * found.alpha:g} % interval {_range(found.narrow)}"
    return (
        f"if it does anything, then less than {sesoi:.2f} AP either way"
        f" ({points(found.difference)} AP, {narrow}, {_size(found)})"
    )


def _why_open(found: Evidence, sesoi: float) -> str:
    if found.identical:
        return f"both sides are identical on every image ({_size(found)})"
    if found.seeds == 1:
        return (
            f"one run each ({points(found.difference)} AP) cannot be told from the luck of its seed"
        )
    if found.seeds == 2:
        return (
            f"2 seeds give an interval ({points(found.difference)} AP, {_interval(found)})"
            " but are too few for a verdict"
        )
    if not math.isfinite(found.interval[0]):
        return f"{points(found.difference)} AP without any noise to hold it against: check the data"
    return _why_undecided(found, sesoi)


def _why_undecided(found: Evidence, sesoi: float) -> str:
    lower, upper = found.interval
    shown = f"{points(found.difference)} AP, {_interval(found)}, {_p(found)}, {_size(found)}"
    if lower > 0 or upper < 0:
        return (
            f"its interval alone leaves out 0, but with {found.family} variants one of them"
            f" does so by luck too often ({shown})"
        )
    gain, loss = upper >= sesoi, lower <= -sesoi
    either = "a gain or a loss" if gain and loss else "a gain" if gain else "a loss"
    return f"{either} that would matter is still possible, and so is no effect at all ({shown})"

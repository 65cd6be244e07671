"""From numbers to one of four words; the first that fits, and the doubt always to "cannot tell"."""

import math
from dataclasses import dataclass
from enum import Enum

from yolox_attn.errors import InputError
from yolox_attn.stats.equivalence import inside, require_margin
from yolox_attn.stats.paired import Paired, identical, interval, require_share

MIN_SEEDS = 3  # one seed says nothing of seeds, two give an interval but no verdict


class Word(Enum):
    """What a study says of a variant."""

    HELPS = "helps"
    HURTS = "hurts"
    NO_DIFFERENCE = "no worthwhile difference"
    CANNOT_TELL = "cannot tell"


class Amount(Enum):
    """How large the effect of a variant that helps or hurts is, against what is worth having."""

    WORTHWHILE = "by a worthwhile amount"
    SMALL = "by less than is worth having"
    OPEN = "by an amount that is open"


@dataclass(frozen=True)
class Evidence:
    """All that a verdict rests on, AP points.

    Args:
        difference: variant minus baseline, mean over the seeds.
        interval: of confidence 1 - alpha, unadjusted.
        narrow: of confidence 1 - 2 alpha, for equivalence.
        p_value: adjusted by Holm over the family.
        seeds, images: behind it; with `grouped`, images counts groups of images.
        family: how many variants the p value is adjusted for.
        identical: both sides are the same on every seed and every resample.
        alpha: the share of studies without an effect that may say helps or hurts.
    """

    difference: float
    interval: tuple[float, float]
    narrow: tuple[float, float]
    p_value: float
    seeds: int
    images: int
    family: int = 1
    identical: bool = False
    alpha: float = 0.05
    grouped: bool = False

    def __post_init__(self) -> None:
        numbers = (self.difference, self.p_value, *self.interval, *self.narrow)
        if any(math.isnan(number) for number in numbers):
            raise InputError(f"a verdict cannot rest on what is not a number: {self}")
        require_share(2 * self.alpha, "alpha, twice")


@dataclass(frozen=True)
class Verdict:
    """The word, and for helps and hurts the amount; None with the other two."""

    word: Word
    amount: Amount | None = None


def evidence(paired: Paired, p_value: float, *, family: int = 1, alpha: float = 0.05) -> Evidence:
    """Gather what the verdict on one variant rests on.

    Args:
        paired: of one study (fields without axes).
        p_value: of this variant, adjusted by `holm` over the family.
        family: how many variants that was.
        alpha: error rate of the study.

    Raises:
        InputError: an array of studies, or a p value outside [0, 1].
    """
    if paired.difference.ndim:
        raise InputError("a verdict is on one study, not on an array of them")
    if not 0 <= p_value <= 1:
        raise InputError(f"p values must lie in [0, 1], got {p_value}")
    lower, upper = interval(paired, 1 - alpha)
    inner_lower, inner_upper = interval(paired, 1 - 2 * alpha)
    return Evidence(
        difference=float(paired.difference),
        interval=(float(lower), float(upper)),
        narrow=(float(inner_lower), float(inner_upper)),
        p_value=p_value,
        seeds=paired.seeds,
        images=paired.images,
        family=family,
        identical=bool(identical(paired)),
        alpha=alpha,
    )


def decide(found: Evidence, *, sesoi: float = 0.5) -> Verdict:
    """Choose the word: helps, hurts, no worthwhile difference, else cannot tell.

    Args:
        found: from `evidence`.
        sesoi: the smallest effect worth having, AP points.

    Raises:
        InputError: a `sesoi` that is not positive.
    """
    require_margin(sesoi)
    if found.seeds < MIN_SEEDS:
        return Verdict(Word.CANNOT_TELL)
    if found.p_value < found.alpha and found.difference:
        word = Word.HELPS if found.difference > 0 else Word.HURTS
        return Verdict(word, _amount(found, sesoi))
    if inside(found.narrow, sesoi):
        return Verdict(Word.NO_DIFFERENCE)
    return Verdict(Word.CANNOT_TELL)


def _amount(found: Evidence, sesoi: float) -> Amount:
    lower, upper = found.interval
    if lower >= sesoi or upper <= -sesoi:
        return Amount.WORTHWHILE
    return Amount.SMALL if inside(found.narrow, sesoi) else Amount.OPEN

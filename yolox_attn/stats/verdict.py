"""The verdict on a variant, and all that is judged of it: data."""

import math
from dataclasses import dataclass
from enum import Enum

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import Paired, identical, inside, interval
from yolox_attn.stats.paired_tests import Pairing
from yolox_attn.stats.power import Settling
from yolox_attn.stats.terms import require_margin, require_share

PRIMARY = "AP"  # the metric that is judged; all others are exploratory
MIN_SEEDS = 3  # one seed says nothing of seeds, two give an interval but no verdict
MIN_IMAGES = 10  # or groups of them, counted as if equally large
EDITION = 2  # of the procedure: 1 was the two-component t, with the images resampled
Ends = tuple[float, float]


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
        seeds: that both sides have.
        images: effective number of images, or groups of them.
        identical: both sides are the same on every seed and every resample.
        alpha: the share of studies without an effect that may say helps or hurts.
    """

    difference: float
    interval: Ends
    narrow: Ends
    p_value: float
    seeds: int
    images: float
    identical: bool = False
    alpha: float = 0.05

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


@dataclass(frozen=True)
class Exploratory:
    """Variant minus baseline in one metric or one class, as fractions.

    Args:
        kind: "metric" or "class"; name: of it.
        difference: mean over the seeds; None where either side has no such AP.
        interval: of confidence 1 - alpha, unadjusted; None where too little is known for one.
        p_adjusted: by Benjamini and Hochberg over the variant's metrics, or its classes.
        images: that show the class; None for a metric.
    """

    kind: str
    name: str
    difference: float | None
    interval: Ends | None
    p_adjusted: float | None
    images: int | None


@dataclass(frozen=True)
class AtLook:
    """What was seen of a variant at one look of a study in stages, fractions.

    Args:
        number: 1 for the first; seeds: pairs behind it.
        interval: the repeated one, of the look's own confidence; None where nothing is known.
    """

    number: int
    seeds: int
    difference: float
    interval: Ends | None


@dataclass(frozen=True)
class Judgement:
    """Everything judged of one variant; differences and errors as fractions, None where unknown.

    Args:
        word, amount: the verdict's, as `Word` and `Amount` have them.
        settling: what would settle an open case; None where nothing is open, or no noise is known.
        family: how many variants the p value is adjusted for; 1 outside of the family.
        seeds: those that both sides have; differences: variant minus baseline of each.
        images: that were resampled, or groups of them where `grouped`; effective: how many would be
            worth as much, were they equally large.
        identical: both sides are the same on every seed and every resample.
        difference: their mean.
        alpha: of the interval: the study's, or that of the look which decided.
        interval: of confidence 1 - alpha, unadjusted; narrow: of 1 - 2 alpha.
        seed_error, image_error: the two parts of the standard error.
        p_value: of "no difference"; p_holm: adjusted over the family, None outside of it.
        p_equivalence: of "the difference is at least the smallest effect worth having".
        probability: P(B > A), its exact interval, the seeds won and tied.
        crossed: percentile interval of the crossed bootstrap of seeds and images.
        sign_flip: exact p over seeds, from 6 seeds on.
        checkpoints: interval of these very checkpoints on new images; it says nothing of the block.
        noise: standard deviations of one seed's difference by source.
        pairing: what training both sides from the same seeds brought; None below 5 pairs.
        detectable: the true effect that a study of this size finds four times in five.
        exploratory: the other metrics, and the classes.
        looks: of a study in stages, up to the one that decided; empty for a study of one look.
        why: name of `Why`, what decided at the last of them.
    """

    word: str
    amount: str | None
    settling: Settling | None
    family: int
    seeds: tuple[int, ...]
    images: int
    effective: float
    grouped: bool
    identical: bool
    differences: tuple[float, ...]
    difference: float
    alpha: float
    interval: Ends | None
    narrow: Ends | None
    seed_error: float | None
    image_error: float
    p_value: float
    p_holm: float | None
    p_equivalence: float
    probability: float
    probability_interval: Ends
    wins: int
    ties: int
    crossed: Ends
    sign_flip: float | None
    checkpoints: Ends
    noise: dict[str, float] | None
    pairing: Pairing | None
    detectable: float | None
    exploratory: tuple[Exploratory, ...]
    looks: tuple[AtLook, ...] = ()
    why: str | None = None


def evidence(paired: Paired, p_value: float, *, alpha: float = 0.05) -> Evidence:
    """Gather what the verdict on one variant rests on.

    Args:
        paired: of one study (fields without axes).
        p_value: of this variant, adjusted by `holm` over the family.
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
        identical=bool(identical(paired)),
        alpha=alpha,
    )


def decide(basis: Evidence, *, sesoi: float = 0.5) -> Verdict:
    """Choose the word: helps, hurts, no worthwhile difference, else cannot tell.

    Args:
        basis: from `evidence`.
        sesoi: the smallest effect worth having, AP points.

    Raises:
        InputError: a `sesoi` that is not positive.
    """
    require_margin(sesoi)
    if basis.seeds < MIN_SEEDS or basis.images < MIN_IMAGES:
        return Verdict(Word.CANNOT_TELL)
    if basis.p_value < basis.alpha and basis.difference:
        word = Word.HELPS if basis.difference > 0 else Word.HURTS
        return Verdict(word, amount_of(basis.interval, basis.narrow, sesoi))
    if inside(basis.narrow, sesoi):
        return Verdict(Word.NO_DIFFERENCE)
    return Verdict(Word.CANNOT_TELL)


def amount_of(interval: Ends, narrow: Ends, sesoi: float) -> Amount:
    """Return how large an effect is that was found, by the ends of its intervals and the SESOI."""
    lower, upper = interval
    if lower >= sesoi or upper <= -sesoi:
        return Amount.WORTHWHILE
    return Amount.SMALL if inside(narrow, sesoi) else Amount.OPEN

"""What seeds alone show: the sign-flip test, how often the variant wins, what pairing saved.

Sign flips: Fisher, "The Design of Experiments", 1935, section 21; for paired seeds "When +1% Is Not
Enough", arXiv 2511.19794. They know nothing of the noise of the test images. P(B > A) as the thing
to report: Bouthillier et al., "Accounting for Variance in Machine Learning Benchmarks", 2021, arXiv
2103.03098; its limits: Clopper and Pearson, Biometrika 26 (1934), 404-413.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.terms import require_share
from yolox_attn.stats.values import Floats, seed_values

PAIRING_SEEDS = 5  # below it a correlation's limits are nearly all there is
MIN_SEEDS = 6  # with fewer, the smallest p, 2 / 2^S, is above 5 %
MAX_SEEDS = 40  # 2^20 sums in each half: 16 MiB, a second
TIE = 1e-12  # of the sum of absolute differences: two sums this close are the same sum


@dataclass(frozen=True)
class Superiority:
    """P(B > A): the chance that the variant beats its baseline when both are trained once.

    Args:
        probability: (wins + ties / 2) / seeds.
        interval: exact; with ties its lower end counts them as losses and its upper end as wins,
            so that it covers whatever a tie is worth.
    """

    probability: float
    interval: tuple[float, float]
    wins: int
    ties: int


@dataclass(frozen=True)
class Pairing:
    """How alike two runs of one seed are, and what training them as a pair was worth.

    Args:
        correlation: of variant and baseline over the seeds.
        interval: its limits, by Fisher's z (Metron 1, 1921, 3-32).
        saved: share of the seeds that unpaired runs would have taken beyond these; negative where
            pairing was a loss.
    """

    correlation: float
    interval: tuple[float, float]
    saved: float


def pairing(variant: ArrayLike, baseline: ArrayLike, confidence: float = 0.95) -> Pairing | None:
    """Measure what pairing by seed brought: 1 - var(A - B) / (var(A) + var(B)).

    Args:
        variant: (S,) AP of one side.
        baseline: (S,) of the other, of the same seeds.
        confidence: of the interval.

    Returns:
        None below `PAIRING_SEEDS` seeds, or where a side does not vary.
    """
    ours, theirs = seed_values(variant), seed_values(baseline)
    apart = ours.var() + theirs.var()
    if ours.size < PAIRING_SEEDS or not (ours.var() > 0 and theirs.var() > 0):
        return None
    found = stats.pearsonr(ours, theirs)
    limits = found.confidence_interval(confidence)
    return Pairing(
        correlation=float(found.statistic),
        interval=(float(limits.low), float(limits.high)),
        saved=float(1 - (ours - theirs).var() / apart),
    )


def sign_flip_p(differences: ArrayLike) -> float:
    """Two-sided exact p: the share of the 2^S sign patterns with |sum| at least the observed one.

    All patterns are counted, without listing them: a sum over all seeds is a sum over the first
    half of them plus one over the second, and for each of the first the second ones that reach
    the observed sum are found in their sorted list.

    Args:
        differences: (S,) variant minus baseline of each seed; fewer than `MIN_SEEDS`
            cannot reach 5 %.

    Raises:
        InputError: no seed, more than `MAX_SEEDS`, or a value that is not finite.
    """
    values = seed_values(differences)
    if values.size > MAX_SEEDS:
        raise InputError(f"the sign-flip test takes up to {MAX_SEEDS} seeds, got {values.size}")
    observed, slack = abs(values.sum()), TIE * np.abs(values).sum()
    if observed <= slack:
        return 1.0
    first = _signed_sums(values[: values.size // 2])
    second = np.sort(_signed_sums(values[values.size // 2 :]))
    below = np.searchsorted(second, observed - slack - first, side="left")
    reaching = int((second.size - below).sum())
    return float(min(1.0, reaching / 2.0 ** (values.size - 1)))


def superiority(differences: ArrayLike, confidence: float = 0.95) -> Superiority:
    """P(B > A) from the paired seeds, with its Clopper-Pearson interval.

    Args:
        differences: (S,) variant minus baseline of each seed; exactly 0 is a tie.
        confidence: of the interval.

    Raises:
        InputError: no seed, or a value that is not finite.
    """
    values = seed_values(differences)
    wins, ties = int((values > 0).sum()), int((values == 0).sum())
    lower, _ = clopper_pearson(wins, values.size, confidence)
    _, upper = clopper_pearson(wins + ties, values.size, confidence)
    return Superiority((wins + ties / 2) / values.size, (lower, upper), wins, ties)


def clopper_pearson(successes: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """Exact limits of a share, never covering less often than `confidence`.

    >>> lower, upper = clopper_pearson(5, 5)
    >>> round(lower, 2), upper
    (0.48, 1.0)

    Raises:
        InputError: no trial, or more successes than trials.
    """
    require_share(confidence, "confidence")
    if not (trials >= 1 and 0 <= successes <= trials):
        raise InputError(f"{successes} successes of {trials} trials is not a share")
    limits = stats.binomtest(successes, trials).proportion_ci(confidence, method="exact")
    return float(limits.low), float(limits.high)


def _signed_sums(values: Floats) -> Floats:
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums - value, sums + value])
    return sums

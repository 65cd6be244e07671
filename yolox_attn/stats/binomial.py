"""How often does the variant win? Shares with exact limits.

Clopper and Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the
Binomial", Biometrika 26 (1934), 404-413. P(B > A) as the thing to report: Bouthillier et al.,
"Accounting for Variance in Machine Learning Benchmarks", 2021, arXiv 2103.03098.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.paired import require_share


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
    seeds: int


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
    tail, failures = (1 - confidence) / 2, trials - successes
    lower = stats.beta.ppf(tail, successes, failures + 1) if successes else 0.0
    upper = stats.beta.ppf(1 - tail, successes + 1, failures) if failures else 1.0
    return float(lower), float(upper)


def superiority(differences: ArrayLike, confidence: float = 0.95) -> Superiority:
    """P(B > A) from the paired seeds, with its Clopper-Pearson interval.

    Args:
        differences: (S,) variant minus baseline of each seed; exactly 0 is a tie.
        confidence: of the interval.

    Raises:
        InputError: no seed, or a value that is not finite.
    """
    values = np.asarray(differences, dtype=np.float64)
    if values.ndim != 1 or values.size < 1 or not np.isfinite(values).all():
        raise InputError("P(B > A) needs one finite difference for each seed, and at least one")
    wins, ties = int((values > 0).sum()), int((values == 0).sum())
    return Superiority(
        probability=(wins + ties / 2) / values.size,
        interval=(
            clopper_pearson(wins, values.size, confidence)[0],
            clopper_pearson(wins + ties, values.size, confidence)[1],
        ),
        wins=wins,
        ties=ties,
        seeds=values.size,
    )

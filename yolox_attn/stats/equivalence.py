"""Is the difference too small to matter? Two one-sided tests against a smallest effect.

Schuirmann, "A comparison of the two one-sided tests procedure and the power approach", Journal of
Pharmacokinetics and Biopharmaceutics 15 (1987), 657-680. At level alpha it is the same as asking
whether the interval of confidence 1 - 2 alpha lies inside the margin.
"""

import math

import numpy as np
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.paired import Floats, Paired, identical


def equivalence_p(paired: Paired, margin: float) -> Floats:
    """The larger p of the two one-sided tests "difference <= -margin" and "difference >= margin".

    Below 0.05: the difference is smaller than the margin either way. 1 where nothing can be said
    (one seed, no noise), 0 where both sides are identical on every seed of several.

    Args:
        paired: from `two_component`, AP points.
        margin: the smallest effect worth having (SESOI), AP points.

    Raises:
        InputError: a margin that is not positive and finite.
    """
    require_margin(margin)
    known = np.isfinite(paired.error) & (paired.error > 0)
    gap = margin - np.abs(paired.difference)
    score = gap / np.where(known, paired.error, 1.0)
    p = stats.t.sf(score, np.where(known, paired.freedom, 1.0))
    return np.where(known, p, np.where(identical(paired) & (paired.error == 0), 0.0, 1.0))


def inside(interval: tuple[float, float], margin: float) -> bool:
    """Whether the whole interval lies strictly between -margin and +margin."""
    require_margin(margin)
    return -margin < interval[0] and interval[1] < margin


def require_margin(margin: float) -> None:
    """Refuse a smallest effect worth having that is not a positive number."""
    if not (math.isfinite(margin) and margin > 0):
        raise InputError(f"the smallest effect worth having must be above 0 AP, got {margin}")

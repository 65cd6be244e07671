"""Several variants, classes or sizes at once: p values that count how often one has looked."""

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.values import Floats


def holm(p_values: ArrayLike) -> Floats:
    """Holm's adjusted p values: below alpha for a false claim in at most alpha of all studies.

    Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
    Statistics 6 (1979), 65-70: the i-th smallest of m times m - i + 1, never below a smaller one's.

    Args:
        p_values: (m,) of the variants that form the family; controls stay outside.

    Raises:
        InputError: a value outside [0, 1], or more than one axis.
    """
    p = _checked(p_values)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(p.size, 0, -1))
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1.0)
    return adjusted


def benjamini_hochberg(p_values: ArrayLike) -> Floats:
    """Adjusted p values whose rejections at q hold a share of at most q false ones, on average.

    Benjamini and Hochberg, "Controlling the False Discovery Rate", Journal of the Royal Statistical
    Society B 57 (1995), 289-300. For exploration (classes, sizes), not for verdicts.

    Args:
        p_values: (m,), independent or positively dependent.

    Raises:
        InputError: a value outside [0, 1], or more than one axis.
    """
    p = _checked(p_values)
    return np.asarray(stats.false_discovery_control(p)) if p.size else p


def _checked(p_values: ArrayLike) -> Floats:
    p = np.asarray(p_values, dtype=np.float64)
    if p.ndim != 1:
        raise InputError(f"p values must be a list, got shape {p.shape}")
    if not ((p >= 0) & (p <= 1)).all():  # also refuses nan
        raise InputError(f"p values must lie in [0, 1], got {p.tolist()}")
    return p

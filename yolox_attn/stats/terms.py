"""The terms that a study is judged on, and what shares and margins can be."""

import math
from dataclasses import dataclass

from yolox_attn.errors import InputError


@dataclass(frozen=True)
class Terms:
    """What is agreed on before any number is seen.

    Args:
        sesoi: the smallest effect worth having, AP points.
        alpha: the share of studies without an effect that may say helps or hurts.
        replicates: resamples of the test images.
        seed: of the resamples, the same for every run.
    """

    sesoi: float = 0.5
    alpha: float = 0.05
    replicates: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        require_margin(self.sesoi)
        require_share(2 * self.alpha, "alpha, twice")
        if self.replicates < 100:
            raise InputError(f"{self.replicates} resamples are too few, give at least 100")


def require_margin(margin: float) -> None:
    """Refuse a smallest effect worth having that is not a positive number."""
    if not (math.isfinite(margin) and margin > 0):
        raise InputError(f"the smallest effect worth having must be above 0 AP, got {margin}")


def require_share(value: float, name: str) -> None:
    """Refuse what is not strictly between 0 and 1, such as a confidence of 95."""
    if not 0 < value < 1:
        raise InputError(f"{name} must be between 0 and 1 (as 0.95, not 95), got {value}")

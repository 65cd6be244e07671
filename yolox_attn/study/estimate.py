"""How long a planned study will take, and what it could find: numbers."""

import math
from collections.abc import Sequence
from pathlib import Path

from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.report import read_comparison
from yolox_attn.report.output import find_comparison
from yolox_attn.stats.noise import seeds_only
from yolox_attn.stats.power import detectable_effect, seeds_needed
from yolox_attn.stats.terms import Terms


def wall_time(seconds: Sequence[float], parallel: int) -> float:
    """Return the least wall time of runs that take `seconds`, `parallel` of them at a time."""
    return max(sum(seconds) / parallel, max(seconds, default=0.0))


def detectable(sd: float, seeds: int, family: int, terms: Terms) -> float:
    """Return the true effect, AP points, that at least 2 `seeds` find four times in five.

    `sd` of the paired differences is in AP points; `family` variants share alpha: the first step
    of Holm is the hardest.
    """
    return detectable_effect(seeds_only(sd), seeds=seeds, alpha=terms.alpha / max(family, 1))


def needed(sd: float, family: int, terms: Terms) -> int | None:
    """Return how many seeds find the smallest effect worth having four times in five."""
    return seeds_needed(terms.sesoi, seeds_only(sd), alpha=terms.alpha / max(family, 1))


def noise_prior(words: Sequence[str]) -> float:
    """Return the standard deviation of paired differences, AP points, that `words` stand for.

    Of several the root of the mean variance.

    Args:
        words: each that number itself; or the folder of a study or of its report, of whose blocks
            the scatter of the differences over the seeds is taken, or, if it has none, of its
            baseline sqrt(2) s_seed: what two independent runs differ by.

    Raises:
        InputError: neither, or a report without the noise of seeds.
    """
    return math.sqrt(sum(_noise(word) ** 2 for word in words) / len(words))


def _noise(word: str) -> float:
    try:
        sd = float(word)
    except ValueError:
        return _noise_of_report(expanded(word))
    if not (math.isfinite(sd) and sd > 0):
        raise InputError(f"--noise {word}: a standard deviation in AP points, above 0")
    return sd


def _noise_of_report(folder: Path) -> float:
    report = find_comparison(folder)
    if report is None:
        raise InputError(
            f"--noise {folder}: neither a number nor a study that has a report; write one by "
            f"`study report {folder}`"
        )
    comparison = read_comparison(report)
    pairs = [
        judgement.noise["seed"] ** 2 + judgement.noise["seed_image"] ** 2
        for variant, judgement in comparison.judged()
        if variant.role == "variant" and judgement.noise is not None
    ]
    if pairs and (sd := math.sqrt(sum(pairs) / len(pairs))) > 0:
        return 100 * sd
    if comparison.seed_noise is None or not comparison.seed_noise.sd > 0:
        raise InputError(f"--noise {folder}: {report.name} has no noise of seeds; it takes 2 runs")
    return math.sqrt(2) * 100 * comparison.seed_noise.sd

"""The noise of seeds alone: how much the baseline moves when nothing but its seed changes."""

import statistics
from collections.abc import Sequence

from yolox_attn.report.model import RunResult, SeedNoise
from yolox_attn.stats.judge import Terms, fraction
from yolox_attn.stats.noise import noise_floor, sd_interval, seeds_only
from yolox_attn.stats.power import detectable_effect, seeds_needed


def seed_noise(runs: Sequence[RunResult], terms: Terms) -> SeedNoise | None:
    """Return the baseline's noise of seeds and what a study of as many seeds could see.

    Args:
        runs: the baseline's; None comes back for fewer than two with an AP.
        terms: of the study; one variant is planned for, without Holm's adjustment.
    """
    points = [100 * ap for run in runs if (ap := run.figures["AP"]) is not None]
    if len(points) < 2:
        return None
    sd = statistics.stdev(points)
    lower, upper = sd_interval(sd, len(points))
    noise = seeds_only(noise_floor(points))
    detectable = detectable_effect(noise, seeds=len(points), alpha=terms.alpha)
    return SeedNoise(
        runs=len(points),
        sd=fraction(sd),
        interval=(fraction(lower), fraction(upper)),
        seeds=len(points),
        detectable=fraction(detectable),
        needed=seeds_needed(terms.sesoi, noise, alpha=terms.alpha),
    )

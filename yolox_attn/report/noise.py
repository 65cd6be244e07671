"""The noise before any pair is known: how much the baseline moves by its seed alone (A/A)."""

import statistics
from collections.abc import Mapping

import numpy as np

from yolox_attn.report.model import SeedNoise
from yolox_attn.stats.judgement import PRIMARY, Terms, fraction
from yolox_attn.stats.measured import Measured, Side, TestSet, require_defined
from yolox_attn.stats.noise import baseline_noise, sd_interval
from yolox_attn.stats.power import detectable_effect, seeds_needed


def seed_noise(runs: Mapping[int, Measured], test: TestSet, terms: Terms) -> SeedNoise | None:
    """Return the baseline's noise and what a study of as many seeds on these images could see.

    Args:
        runs: the baseline's, by seed; None comes back for fewer than two.
        test: the images that they were measured on.
        terms: of the study; one variant is planned for, without Holm's adjustment.

    Raises:
        InputError: the AP of a run is undefined, on the images or on a resample.
    """
    if len(runs) < 2:
        return None
    require_defined(Side("the baseline", runs), list(runs), PRIMARY)
    points = [run.figures[PRIMARY] for run in runs.values()]
    replicates = np.stack([run.resampled[PRIMARY] for run in runs.values()], axis=1)
    noise = baseline_noise(points, replicates, test.images)
    sd = statistics.stdev(points)
    lower, upper = sd_interval(sd, len(points))
    detectable = detectable_effect(noise, seeds=len(points), images=test.images, alpha=terms.alpha)
    return SeedNoise(
        runs=len(points),
        sd=fraction(sd),
        interval=(fraction(lower), fraction(upper)),
        seeds=len(points),
        images=test.images,
        detectable=fraction(detectable),
        needed=seeds_needed(terms.sesoi, noise, images=test.images, alpha=terms.alpha),
    )

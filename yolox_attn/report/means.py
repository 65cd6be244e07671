"""Means over runs and differences to the baseline, figure by figure, as fractions."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from yolox_attn.report.model import (
    FIGURES,
    Comparison,
    Difference,
    Dropped,
    Figures,
    RunResult,
    Variant,
)


def mean_figures(runs: Sequence[Figures]) -> Figures:
    """Return the mean of each figure; None where a run has none."""
    return {key: _defined(statistics.fmean, values) for key, values in _columns(runs)}


def sd_figures(runs: Sequence[Figures]) -> Figures:
    """Return the standard deviation (n - 1) of each figure; None for one run."""
    several = len(runs) > 1
    return {
        key: _defined(statistics.stdev, values) if several else None
        for key, values in _columns(runs)
    }


def without(comparison: Comparison, dropped: Sequence[Dropped]) -> Comparison:
    """Leave the dropped runs out of every mean; a variant that has no other run keeps its row."""
    gone = {(each.name, each.seed) for each in dropped}
    variants = [_kept(variant, gone) for variant in comparison.variants]
    base = variants[0]
    beside = [replace(each, difference=difference(each.runs, base.runs)) for each in variants[1:]]
    return replace(comparison, variants=(base, *beside), dropped=(*comparison.dropped, *dropped))


def _kept(variant: Variant, gone: set[tuple[str, int | None]]) -> Variant:
    runs = tuple(run for run in variant.runs if (variant.name, run.seed) not in gone)
    if not runs or len(runs) == len(variant.runs):
        return variant
    figures = [run.figures for run in runs]
    return replace(variant, runs=runs, mean=mean_figures(figures), sd=sd_figures(figures))


def difference(
    runs: Sequence[RunResult], baseline: Sequence[RunResult], seeds: Iterable[int] | None = None
) -> Difference:
    """Subtract the baseline over `seeds`, by default those that both have.

    Where they share no seed it is the difference of the two means.
    """
    ours, theirs = ({run.seed: run.figures for run in each} for each in (runs, baseline))
    common = [seed for seed in ours if seed is not None and seed in theirs]
    chosen = tuple(common if seeds is None else seeds)
    if chosen:
        pairs = [_minus(ours[seed], theirs[seed]) for seed in chosen]
        return Difference(mean_figures(pairs), chosen)
    means = [mean_figures([run.figures for run in each]) for each in (runs, baseline)]
    return Difference(_minus(*means), ())


def _columns(runs: Sequence[Figures]) -> list[tuple[str, list[float | None]]]:
    return [(key, [figures[key] for figures in runs]) for key in FIGURES]


def _minus(left: Figures, right: Figures) -> Figures:
    return {
        key: None if (a := left[key]) is None or (b := right[key]) is None else a - b
        for key in FIGURES
    }


def _defined(
    summary: Callable[[list[float]], float], values: Sequence[float | None]
) -> float | None:
    """Return the summary of `values`, None if any of them is undefined."""
    known = [value for value in values if value is not None]
    return summary(known) if len(known) == len(values) else None

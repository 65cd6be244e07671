"""Runs in, Comparison out: means over seeds, and differences to the baseline seed by seed."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from yolox_attn.cost import Latency
from yolox_attn.errors import InputError
from yolox_attn.report.collect import Run, by_variant, describe_attention
from yolox_attn.report.notes import make_notes
from yolox_attn.report.protocol import require_same_protocol

FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
Figures = dict[str, float | None]  # fractions; None where the data have no such object


@dataclass(frozen=True)
class RunResult:
    """One run's COCO figures, of its latest checkpoint."""

    folder: str
    seed: int | None
    figures: Figures


@dataclass(frozen=True)
class Difference:
    """Variant minus baseline, in fractions.

    Args:
        seeds: the seeds that both have, over whose differences this is the mean; empty where they
            share none and it is the difference of two means.
    """

    figures: Figures
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Variant:
    """The runs that differ in nothing but their seed.

    Args:
        sd: standard deviation over the runs (n - 1); None for one run.
        difference: to the baseline; None for the baseline itself.
        gflops: of one image at the test size, inference.
        latency: of one image at the test size; None where it was not measured.
    """

    name: str
    attention: str
    runs: tuple[RunResult, ...]
    mean: Figures
    sd: Figures
    difference: Difference | None
    parameters: int
    gflops: float
    gflops_training: float | None
    latency: Latency | None = None


@dataclass(frozen=True)
class Comparison:
    """Variants beside their baseline, which comes first.

    Args:
        test_size: height and width of the images that AP, GFLOPs and latency are measured at.
        notes: what a reader must know to read the numbers right, a sentence each.
    """

    baseline: str
    variants: tuple[Variant, ...]
    test_size: tuple[int, int]
    val_images: int | None
    notes: tuple[str, ...] = field(default=())


def compare(runs: Sequence[Run], *, baseline: str | None = None) -> Comparison:
    """Compare the variants among `runs`, of which `baseline` (None: the one without attention).

    Raises:
        InputError: no such baseline, none or two without attention, nothing to compare it with,
            or runs that differ in more than attention and seed.
    """
    variants = by_variant(runs)
    name = _choose_baseline(variants, baseline)
    if len(variants) < 2:
        raise InputError(f"only {name} is here; a comparison needs the runs of another variant")
    variants = {name: variants.pop(name), **variants}
    require_same_protocol([run for members in variants.values() for run in members])
    first = variants[name][0].record
    height, width = first.config["test_size"]
    return Comparison(
        baseline=name,
        variants=tuple(_variant(members, variants[name]) for members in variants.values()),
        test_size=(height, width),
        val_images=first.data.get("val_images"),
        notes=make_notes(variants),
    )


def _choose_baseline(variants: Mapping[str, Sequence[Run]], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in variants:
            raise InputError(f"--baseline {wanted}: no such variant; here: {', '.join(variants)}")
        return wanted
    plain = [
        name for name, runs in variants.items() if describe_attention(runs[0].record) == "none"
    ]
    if len(plain) != 1:
        found = f"{' and '.join(plain)} are" if plain else f"none of {', '.join(variants)} is"
        raise InputError(f"{found} without attention; say --baseline NAME")
    return plain[0]


def _variant(runs: Sequence[Run], baseline: Sequence[Run]) -> Variant:
    record = runs[0].record
    return Variant(
        name=record.name,
        attention=describe_attention(record),
        runs=tuple(RunResult(str(run.folder), run.record.seed, _figures(run)) for run in runs),
        mean=_mean([_figures(run) for run in runs]),
        sd={key: _sd([_figures(run)[key] for run in runs]) for key in FIGURES},
        difference=None if runs is baseline else _difference(runs, baseline),
        parameters=record.parameters,
        gflops=record.gflops,
        gflops_training=record.gflops_training,
    )


def _figures(run: Run) -> Figures:
    return {key: run.record.figures.get(key) for key in FIGURES}


def _difference(runs: Sequence[Run], baseline: Sequence[Run]) -> Difference:
    ours = {run.record.seed: _figures(run) for run in runs}
    theirs = {run.record.seed: _figures(run) for run in baseline}
    seeds = tuple(seed for seed in ours if seed is not None and seed in theirs)
    if seeds:
        pairs = [_minus(ours[seed], theirs[seed]) for seed in seeds]
        return Difference(_mean(pairs), seeds)
    means = [_mean([_figures(run) for run in group]) for group in (runs, baseline)]
    return Difference(_minus(*means), ())


def _minus(left: Figures, right: Figures) -> Figures:
    return {
        key: None if (a := left[key]) is None or (b := right[key]) is None else a - b
        for key in FIGURES
    }


def _mean(each: Sequence[Figures]) -> Figures:
    columns = {key: [figures[key] for figures in each] for key in FIGURES}
    return {key: _defined(statistics.fmean, values) for key, values in columns.items()}


def _sd(values: Sequence[float | None]) -> float | None:
    return _defined(statistics.stdev, values) if len(values) > 1 else None


def _defined(
    summary: Callable[[list[float]], float], values: Sequence[float | None]
) -> float | None:
    """Return the summary of `values`, None if any of them is undefined."""
    known = [value for value in values if value is not None]
    return summary(known) if len(known) == len(values) else None

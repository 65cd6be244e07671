"""What a comparison holds: a baseline and its variants, every AP a fraction (0 to 1)."""

import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any

from yolox_attn.coco.evaluate import Metrics
from yolox_attn.console import printable
from yolox_attn.cost import Latency
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import EDITION, Judgement
from yolox_attn.stats.weighted_ap import AP_METRICS


@dataclass(frozen=True)
class RunResult:
    """One run's COCO metrics, of its latest checkpoint.

    Args:
        curve: (epoch, AP) of each evaluation during training, AP as a fraction.
        seconds: of training; peak_memory: bytes; None where not measured.
    """

    folder: str
    seed: int | None
    metrics: Metrics
    curve: tuple[tuple[int, float], ...] = ()
    seconds: float | None = None
    peak_memory: int | None = None


@dataclass(frozen=True)
class Difference:
    """Variant minus baseline, in fractions.

    Args:
        seeds: the seeds that both have, over whose differences this is the mean; empty where they
            share none and it is the difference of two means.
    """

    metrics: Metrics
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Built:
    """What was really built at one level, and how many parameters it has."""

    level: str
    block: str
    options: dict[str, object]
    parameters: int


@dataclass(frozen=True)
class Sentence:
    """A verdict in words: the claim, and the numbers that it rests on."""

    claim: str
    basis: str

    def __str__(self) -> str:
        return f"{self.claim}: {self.basis}."


@dataclass(frozen=True)
class Variant:
    """The runs that differ in nothing but their seed.

    Args:
        role: "baseline", "variant", or "control", which stands outside the Holm family.
        sd: standard deviation over the runs (n - 1); None for one run.
        difference: to the baseline; None for the baseline itself.
        gflops: of one image at the test size, inference.
        latency: of one image at the test size; None where not measured.
        judgement: None for the baseline, and where nothing could be judged (a note says why).
        sentence: the judgement's verdict; settling: a sentence on what would settle an open one.
        trainable: parameters that may change; optimised: those in the optimiser.
    """

    name: str
    attention: str
    runs: tuple[RunResult, ...]
    mean: Metrics
    sd: Metrics
    difference: Difference | None = None
    parameters: int | None = None
    gflops: float | None = None
    gflops_training: float | None = None
    latency: Latency | None = None
    role: str = "variant"
    judgement: Judgement | None = None
    sentence: Sentence | None = None
    settling: str | None = None
    built: tuple[Built, ...] = ()
    trainable: int | None = None
    optimised: int | None = None


@dataclass(frozen=True)
class Dropped:
    """A run that should be judged and cannot be: its pair is left out."""

    name: str
    seed: int | None
    why: str

    @property
    def title(self) -> str:
        """Variant and seed, as in a sentence."""
        return self.name if self.seed is None else f"{self.name} seed {self.seed}"


@dataclass(frozen=True)
class PlanSummary:
    """The plan that a study followed: `hash` is that of the whole plan file."""

    file: str
    hash: str
    created: str
    split: str
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class SeedNoise:
    """How much the baseline moves by its seed alone (A/A), fractions.

    Args:
        sd: standard deviation of AP over `runs` runs; interval: its 95 % chi-square limits.
        detectable: true effect found four times in five with `seeds` seeds on `images` images (or
            groups), before any pair is known: differences are taken to scatter by sqrt(2) sd, and
            by what the images add to two such runs.
        needed: seeds that find the smallest effect worth having; None where no number does.
    """

    runs: int
    sd: float
    interval: tuple[float, float]
    seeds: int
    images: int
    detectable: float
    needed: int | None


@dataclass(frozen=True)
class Comparison:
    """Variants and their baseline, which comes first.

    Args:
        test_size: height and width of the images that AP, GFLOPs and latency are measured at.
        groups: what was resampled instead of single images, as "120 groups by video".
        terms: None where nothing was judged.
        family: the variants whose p values Holm adjusted.
        notes: what a reader must know to read the numbers right, a sentence each.
        software, hardware: what all runs share, name -> value; what differs is in the notes.
        commands: that repeat it, a line each.
        pending: planned runs that are still to come; with any the report is no result yet.
        edition: of the procedure that judged.
        looks: seeds a side at each look of a study in stages; empty for a study of one look.
        epochs: of the runs; None where they are not known.
    """

    baseline: str
    variants: tuple[Variant, ...]
    test_size: tuple[int, int] | None
    val_images: int | None
    notes: tuple[str, ...] = ()
    terms: Terms | None = None
    family: tuple[str, ...] = ()
    groups: str | None = None
    plan: PlanSummary | None = None
    dropped: tuple[Dropped, ...] = ()
    seed_noise: SeedNoise | None = None
    data: dict[str, object] = field(default_factory=dict)
    software: dict[str, str] = field(default_factory=dict)
    hardware: dict[str, str] = field(default_factory=dict)
    commands: tuple[str, ...] = ()
    pending: int = 0
    edition: int = EDITION
    looks: tuple[int, ...] = ()
    epochs: int | None = None

    # The renderers are functions of what stands here, so they are imported where they are called.
    def __str__(self) -> str:
        """Return what the `compare` command prints."""
        from yolox_attn.report.text import as_text

        return as_text(self)

    def _repr_markdown_(self) -> str:
        """Return the whole report, as a notebook shows it."""
        from yolox_attn.report.text import as_markdown

        return as_markdown(cleaned(self))

    def judged(self) -> list[tuple[Variant, Judgement]]:
        """Return the variants with a judgement: blocks first, then controls."""
        pairs = [(each, each.judgement) for each in self.variants if each.judgement is not None]
        return sorted(pairs, key=lambda pair: pair[0].role == "control")

    def unjudged(self) -> list[Variant]:
        """Return the variants without a judgement."""
        return [each for each in self.variants if not (each.judgement or each.role == "baseline")]

    @property
    def alone(self) -> bool:
        """Whether there is only the baseline, to show the noise of its seeds."""
        return len(self.variants) == 1

    @property
    def alpha(self) -> float:
        """The error rate that intervals are made for, also where nothing was judged."""
        return 0.05 if self.terms is None else self.terms.alpha

    def noted(self, *notes: str) -> "Comparison":
        """Return the comparison with more notes."""
        return replace(self, notes=(*self.notes, *notes))


def averaged(runs: Sequence[RunResult]) -> dict[str, Any]:
    """Return the fields of a `Variant` that follow from its runs: runs, mean, sd."""
    metrics = [run.metrics for run in runs]
    return {"runs": tuple(runs), "mean": mean_metrics(metrics), "sd": sd_metrics(metrics)}


def mean_metrics(runs: Sequence[Metrics]) -> Metrics:
    """Return the mean of each metric; None where a run has no such value."""
    return {key: statistics.fmean(values) if values else None for key, values in _columns(runs)}


def sd_metrics(runs: Sequence[Metrics]) -> Metrics:
    """Return the standard deviation (n - 1) of each metric; None also for one run."""
    columns = _columns(runs)
    return {key: statistics.stdev(values) if len(values) > 1 else None for key, values in columns}


def difference(
    runs: Sequence[RunResult], baseline: Sequence[RunResult], seeds: Iterable[int] | None = None
) -> Difference:
    """Subtract the baseline over `seeds`, by default those that both have.

    Where they share no seed it is the difference of the two means.
    """
    ours, theirs = ({run.seed: run.metrics for run in each} for each in (runs, baseline))
    common = [seed for seed in ours if seed is not None and seed in theirs]
    chosen = tuple(common if seeds is None else seeds)
    if chosen:
        pairs = [_minus(ours[seed], theirs[seed]) for seed in chosen]
        return Difference(mean_metrics(pairs), chosen)
    means = [mean_metrics([run.metrics for run in each]) for each in (runs, baseline)]
    return Difference(_minus(*means), ())


def cleaned(comparison: Comparison) -> Comparison:
    """Return the comparison as it may be shown: every text in it without control characters.

    Names of classes and variants come from files: they could move a cursor, or break a table.
    """
    result: Comparison = _cleaned(comparison)
    return result


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return printable(value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _cleaned(getattr(value, f.name)) for f in fields(value)})
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(_cleaned, value))
    return value


def in_order(variants: Iterable[Variant]) -> tuple[Variant, ...]:
    """Return the variants as every table and figure has them: baseline, blocks, controls."""
    order = ("baseline", "variant", "control")
    return tuple(sorted(variants, key=lambda each: order.index(each.role)))


def with_differences(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    """Subtract the first variant, the baseline, from all others."""
    base, *others = variants
    return (base, *(replace(each, difference=difference(each.runs, base.runs)) for each in others))


def without(comparison: Comparison, dropped: Sequence[Dropped]) -> Comparison:
    """Leave the dropped runs out of every mean; a variant that has no other run keeps its row."""
    gone = {(each.name, each.seed) for each in dropped}
    variants = with_differences([_kept(variant, gone) for variant in comparison.variants])
    return replace(comparison, variants=variants, dropped=(*comparison.dropped, *dropped))


def _kept(variant: Variant, gone: set[tuple[str, int | None]]) -> Variant:
    runs = tuple(run for run in variant.runs if (variant.name, run.seed) not in gone)
    if not runs or len(runs) == len(variant.runs):
        return variant
    return replace(variant, **averaged(runs))


def _columns(runs: Sequence[Metrics]) -> Iterator[tuple[str, list[float]]]:
    """Yield each metric with its value of every run; without values where a run has none."""
    for key in AP_METRICS:
        values = [value for metrics in runs if (value := metrics[key]) is not None]
        yield key, values if len(values) == len(runs) else []


def _minus(left: Metrics, right: Metrics) -> Metrics:
    return {
        key: None if (a := left[key]) is None or (b := right[key]) is None else a - b
        for key in AP_METRICS
    }

"""What a comparison holds: variants beside their baseline, everything a fraction (0 to 1)."""

from dataclasses import dataclass, field

from yolox_attn.cost import Latency
from yolox_attn.stats.judgement import Judgement, Terms

FIGURES = ("AP", "AP50", "AP75", "APs", "APm", "APl")
Figures = dict[str, float | None]  # fractions; None where the data have no such object


@dataclass(frozen=True)
class RunResult:
    """One run's COCO figures, of its latest checkpoint.

    Args:
        curve: (epoch, AP) of each evaluation during training, AP as a fraction.
        seconds: of training; peak_memory: bytes; both None where nobody measured them.
    """

    folder: str
    seed: int | None
    figures: Figures
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

    figures: Figures
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Built:
    """What really stands at one level, and how many numbers it holds."""

    level: str
    block: str
    options: dict[str, object]
    parameters: int


@dataclass(frozen=True)
class Variant:
    """The runs that differ in nothing but their seed.

    Args:
        role: "baseline", "variant", or "control", which stands outside the Holm family.
        sd: standard deviation over the runs (n - 1); None for one run.
        difference: to the baseline; None for the baseline itself.
        gflops: of one image at the test size, inference.
        latency: of one image at the test size; None where it was not measured.
        judgement: None for the baseline, and where nothing could be judged (a note says why).
        trainable: parameters that may change; optimised: those in the optimiser.
    """

    name: str
    attention: str
    runs: tuple[RunResult, ...]
    mean: Figures
    sd: Figures
    difference: Difference | None
    parameters: int | None
    gflops: float | None
    gflops_training: float | None
    latency: Latency | None = None
    role: str = "variant"
    judgement: Judgement | None = None
    built: tuple[Built, ...] = ()
    trainable: int | None = None
    optimised: int | None = None


@dataclass(frozen=True)
class Dropped:
    """A run that was to be there and is not judged: its pair is left out."""

    name: str
    seed: int | None
    why: str


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
    """Variants beside their baseline, which comes first.

    Args:
        test_size: height and width of the images that AP, GFLOPs and latency are measured at.
        groups: what was resampled instead of single images, as "120 groups by video".
        terms: None where nothing was judged.
        family: the variants whose p values Holm adjusted.
        notes: what a reader must know to read the numbers right, a sentence each.
        software, hardware: what all runs share, name -> value; what differs is in the notes.
        commands: that repeat it, a line each.
        pending: planned runs that are still to come; with any the report is no result yet.
    """

    baseline: str
    variants: tuple[Variant, ...]
    test_size: tuple[int, int] | None
    val_images: int | None
    notes: tuple[str, ...] = field(default=())
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

    def judged(self) -> list[tuple[Variant, Judgement]]:
        """Return the variants with a judgement: blocks first, then controls."""
        found = [(each, each.judgement) for each in self.variants if each.judgement is not None]
        return sorted(found, key=lambda pair: pair[0].role == "control")

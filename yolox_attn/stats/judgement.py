"""What a study is judged by, and what it is judged to be: the data of a verdict, no arithmetic."""

from dataclasses import dataclass

from yolox_attn.errors import InputError
from yolox_attn.stats.equivalence import require_margin
from yolox_attn.stats.paired import require_share

PRIMARY = "AP"  # the figure that is judged; all others are exploratory
Ends = tuple[float, float]


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


@dataclass(frozen=True)
class Exploratory:
    """Variant minus baseline in one figure or one class, as fractions.

    Args:
        kind: "figure" or "class"; name: of it.
        difference: mean over the seeds; None where either side has no such AP.
        interval: of confidence 1 - alpha, two-component, unadjusted; None where too little is
            known for one.
        p_adjusted: by Benjamini and Hochberg over the variant's figures, or its classes.
        images: that show the class; None for a figure.
    """

    kind: str
    name: str
    difference: float | None
    interval: Ends | None
    p_adjusted: float | None
    images: int | None


@dataclass(frozen=True)
class Judgement:
    """The verdict on one variant; differences and errors as fractions, None where unknown.

    Args:
        word, amount: the verdict's, as `Word` and `Amount` have them.
        sentence: the verdict in one sentence.
        settling: what would settle an open case, in one sentence.
        seeds: those that both sides have; differences: variant minus baseline of each.
        difference: their mean.
        interval: of confidence 1 - alpha, two-component, unadjusted; narrow: of 1 - 2 alpha.
        seed_error, image_error: the two parts of the standard error; freedom: of both together.
        p_value: of "no difference"; p_holm: adjusted over the family, None outside of it.
        p_equivalence: of "the difference is at least the smallest effect worth having".
        probability: P(B > A), its exact interval, the seeds won and tied.
        crossed: percentile interval of the crossed bootstrap of seeds and images.
        sign_flip: exact p over seeds, from 6 seeds on.
        checkpoints: interval of these very checkpoints on new images; it says nothing of the block.
        noise: standard deviations of one seed's difference by source.
        detectable: the true effect that a study of this size finds four times in five.
        exploratory: the other figures, and the classes.
    """

    word: str
    amount: str | None
    sentence: str
    settling: str | None
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    difference: float
    interval: Ends | None
    narrow: Ends | None
    seed_error: float | None
    image_error: float
    freedom: float | None
    p_value: float
    p_holm: float | None
    p_equivalence: float
    probability: float
    probability_interval: Ends
    wins: int
    ties: int
    crossed: Ends
    sign_flip: float | None
    checkpoints: Ends
    noise: dict[str, float] | None
    detectable: float | None
    exploratory: tuple[Exploratory, ...]


def fraction(points: float) -> float:
    """Return AP points as a fraction."""
    return points / 100

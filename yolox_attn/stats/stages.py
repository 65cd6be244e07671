"""A study judged at several planned looks: how small p must be at each, and who is decided.

Looking again and again at 5 % claims an effect in 14 of 100 studies without one. Here the looks
are planned, and share alpha: Jennison and Turnbull, "Group Sequential Methods", 2000; the levels
are exact for the t statistics of growing samples, as in Journal of Biopharmaceutical Statistics,
2020, doi 10.1080/10543406.2020.1730878; Holm's steps over looks are those of Maurer and Bretz,
Statistics in Biopharmaceutical Research 5 (2013), 311-320.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import Paired, inside, interval, p_value
from yolox_attn.stats.terms import require_share
from yolox_attn.stats.verdict import MIN_IMAGES, MIN_SEEDS, Word

DEFAULT_LOOKS = (4, 7, 10)  # a first look at 3 seeds finds next to nothing among four variants
DRAWS = 10_000_000  # of the seeds' t statistics: a level is right to 1 % of itself
BLOCK = 1_000_000


@dataclass(frozen=True)
class Stages:
    """The looks of a study and what p must be below at each.

    Args:
        looks: numbers of seeds, growing.
        levels: `[j - 1][k - 1]` at look k with j variants without a claim, from `levels`.
    """

    looks: tuple[int, ...]
    levels: tuple[tuple[float, ...], ...]

    @property
    def alone(self) -> tuple[float, ...]:
        """Level of each look for one variant: of controls, equivalence and shown intervals."""
        return self.levels[0]


@dataclass(frozen=True)
class LookRules:
    """By what a look decides.

    Args:
        stages: of the plan.
        number: 1 for the first look.
        claimed: variants with a claim at earlier looks; only claims, no other decisions, leave the
            others a larger level.
        sesoi: the smallest effect worth having, AP points.
    """

    stages: Stages
    number: int
    claimed: int
    sesoi: float

    @property
    def levels(self) -> list[float]:
        """At this look, for 1, 2 ... variants without a claim."""
        return [row[self.number - 1] for row in self.stages.levels]

    @property
    def is_last(self) -> bool:
        """Whether no look follows."""
        return self.number == len(self.stages.looks)


class Why(Enum):
    """What decided a variant at a look."""

    CLAIM = "p is below the look's level"
    EQUIVALENCE = "its interval lies inside the smallest effect worth having"
    IMAGES = "no further seeds could decide it: the test images are too few"
    LAST = "open at the last look"


@dataclass(frozen=True)
class Outcome:
    """What a look says of a variant; `word` and `why` are None while it is open."""

    word: Word | None = None
    why: Why | None = None


OPEN = Outcome()


def levels(looks: Sequence[int], alpha: float, family: int) -> tuple[tuple[float, ...], ...]:
    """Return the level of each look, for j = 1 ... `family` open variants: `[j - 1][k - 1]`.

    p below it at look k is a claim. Of (alpha / j) a look may spend the share (S_k / S_K)^2, the
    earlier looks included, where the noise of the seeds is all there is. That is the worst case:
    the test images are the same at every look.

    Args:
        looks: numbers of seeds S_1 < ... < S_K, from 3 on.
        alpha: of the study.
        family: variants that share it.

    Raises:
        InputError: looks that do not grow, or fewer than 3 seeds at the first.
    """
    require_share(alpha, "alpha")
    check_looks(looks)
    statistics = _drawn_statistics(looks)
    return tuple(_spent(statistics, looks, alpha / j) for j in range(1, max(family, 1) + 1))


def check_looks(looks: Sequence[int]) -> None:
    """Refuse looks that are none.

    Raises:
        InputError: they do not grow, or there are fewer than 3 seeds at the first.
    """
    if not looks or looks[0] < MIN_SEEDS:
        raise InputError(f"looks {_said(looks)}: the first needs at least {MIN_SEEDS} seeds")
    if any(later <= earlier for earlier, later in pairwise(looks)):
        raise InputError(f"looks {_said(looks)}: each needs more seeds than the one before")


def _said(looks: Sequence[int]) -> str:
    return " ".join(map(str, looks)) or "without a number"


def _drawn_statistics(looks: Sequence[int]) -> list[NDArray[np.float32]]:
    """Draw |t| of samples without an effect at each look, in blocks, always the same."""
    rng = np.random.default_rng(0)
    found = [np.empty(DRAWS, dtype=np.float32) for _ in looks]
    for start in range(0, DRAWS, BLOCK):
        total, squares, before = np.zeros(BLOCK), np.zeros(BLOCK), 0
        for statistic, seeds in zip(found, looks, strict=True):
            new = seeds - before
            added = rng.normal(0.0, new**0.5, BLOCK)  # sum over the new seeds
            total += added
            squares += added**2 / new
            if new > 1:
                squares += rng.chisquare(new - 1, BLOCK)
            variance = (squares - total**2 / seeds) / (seeds - 1)
            statistic[start : start + BLOCK] = np.abs(total) / np.sqrt(seeds * variance)
            before = seeds
    return found


def _spent(
    statistics: Sequence[NDArray[np.float32]], looks: Sequence[int], alpha: float
) -> tuple[float, ...]:
    """Return the level of each look so that `alpha` is spent as planned."""
    first = alpha * (looks[0] / looks[-1]) ** 2  # of one look the level is what it spends
    going = statistics[0] < stats.t.isf(first / 2, looks[0] - 1)  # no claim so far
    found = [first]
    for statistic, seeds in zip(statistics[1:], looks[1:], strict=True):
        spent = DRAWS - int(going.sum())
        claims = max(round(DRAWS * alpha * (seeds / looks[-1]) ** 2) - spent, 1)
        left = statistic[going]
        limit = float(np.partition(left, left.size - claims)[left.size - claims])
        going &= statistic < limit
        found.append(float(2 * stats.t.sf(limit, seeds - 1)))
    return tuple(found)


def decide_look(
    undecided: Mapping[str, Paired], rules: LookRules, diverged: Mapping[str, int] | None = None
) -> dict[str, Outcome]:
    """Decide what can be decided at a look of the blocks that are still open.

    Holm's steps with the levels of this look; then equivalence, for each variant at the level of
    one; then whether the test images forbid a decision for good. With too few seeds or images the
    level is forfeited.

    Args:
        undecided: name -> what its first seeds say, AP points.
        rules: of the look.
        diverged: name -> by how many its diverged runs exceed the baseline's; the side that
            diverged more often is not said to be better.
    """
    excess = diverged or {}
    p_values = [_p(paired, excess.get(name, 0)) for name, paired in undecided.items()]
    names = list(undecided)
    found = {names[each] for each in claims(p_values, rules.levels, rules.claimed)}
    left = len(rules.levels) - rules.claimed - len(found)
    return {
        name: _claim(paired) if name in found else _without_claim(paired, rules, left)
        for name, paired in undecided.items()
    }


def decide_control(paired: Paired, rules: LookRules) -> Outcome:
    """Decide what a look says of a control: outside the family, at the level of one variant."""
    if _p(paired, 0) < rules.levels[0]:
        return _claim(paired)
    return _without_claim(paired, rules, 1)


def claims(p_values: Sequence[float], levels: Sequence[float], claimed: int) -> list[int]:
    """Return the places of the p values that Holm's steps claim at one look.

    Args:
        p_values: of the open variants.
        levels: for 1, 2 ... variants without a claim; as many as the family has members.
        claimed: members with a claim already.
    """
    found: list[int] = []
    for place in sorted(range(len(p_values)), key=p_values.__getitem__):
        left = len(levels) - claimed - len(found)
        if not p_values[place] < levels[left - 1]:
            break
        found.append(place)
    return found


def expected_seeds(
    rules: LookRules, effect: float, sd: float, variants: int
) -> tuple[float, float]:
    """Return how many seeds one variant takes on average, and the last of all that are open.

    Of 10,000 drawn studies with the seeds' noise alone, from this look on.

    Args:
        rules: of the next look.
        effect: true difference of each variant, AP points.
        sd: of the paired differences, AP points.
        variants: that are open.
    """
    rng, looks = np.random.default_rng(0), rules.stages.looks
    values = rng.normal(effect, sd, (10_000, variants, looks[-1]))
    going, seeds = np.ones(values.shape[:2], dtype=bool), np.zeros(values.shape[:2])
    for number in range(rules.number, len(looks) + 1):
        count = looks[number - 1]
        seeds[going] = count
        level = rules.stages.levels[variants - 1][number - 1]
        mean = np.abs(values[..., :count].mean(axis=-1))
        error = values[..., :count].std(axis=-1, ddof=1) / np.sqrt(count)
        small = stats.t.isf(rules.stages.alone[number - 1], count - 1)
        going &= mean <= stats.t.isf(level / 2, count - 1) * error
        going &= mean + small * error >= rules.sesoi
    return float(seeds.mean()), float(seeds.max(axis=1).mean())


def _is_usable(paired: Paired) -> bool:
    return paired.seeds >= MIN_SEEDS and paired.images >= MIN_IMAGES


def _p(paired: Paired, excess: int) -> float:
    """Return p; 1 where there can be no claim."""
    favours_diverged = excess * float(paired.difference) > 0
    if favours_diverged or not _is_usable(paired) or not paired.difference:
        return 1.0
    return float(p_value(paired))


def _claim(paired: Paired) -> Outcome:
    return Outcome(Word.HELPS if paired.difference > 0 else Word.HURTS, Why.CLAIM)


def _without_claim(paired: Paired, rules: LookRules, left: int) -> Outcome:
    """Decide on a variant that neither helps nor hurts at this look; `left` are without a claim."""
    if _is_usable(paired):
        lower, upper = interval(paired, 1 - 2 * rules.levels[0])
        if inside((float(lower), float(upper)), rules.sesoi):
            return Outcome(Word.NO_DIFFERENCE, Why.EQUIVALENCE)
    if rules.is_last:
        return Outcome(Word.CANNOT_TELL, Why.LAST)
    if _is_usable(paired) and _images_forbid(paired, rules, left):
        return Outcome(Word.CANNOT_TELL, Why.IMAGES)
    return OPEN


def _images_forbid(paired: Paired, rules: LookRules, left: int) -> bool:
    """Whether no further seeds could decide, wherever within two errors the mean will end.

    With the images' error alone neither a claim nor equivalence would be reached at the last look.
    """
    difference, reach = float(paired.difference), 2 * float(paired.seed_error)
    largest = abs(difference) + reach
    smallest = max(abs(difference) - reach, 0.0)
    error, freedom = float(paired.image_error), paired.images - 1
    claim = stats.t.isf(rules.stages.levels[left - 1][-1] / 2, freedom) * error
    small = stats.t.isf(rules.stages.alone[-1], freedom) * error
    return bool(largest <= claim and smallest + small >= rules.sesoi)

"""A variant against its baseline: from the AP of paired runs to a verdict and what it rests on.

AP points come in, fractions go out: what a report holds is in the unit of COCO's figures.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from yolox_attn.stats.binomial import superiority
from yolox_attn.stats.crossed import crossed_interval
from yolox_attn.stats.equivalence import equivalence_p
from yolox_attn.stats.explore import explore
from yolox_attn.stats.judgement import PRIMARY, Ends, Judgement, Terms, fraction
from yolox_attn.stats.measured import Side, TestSet, require_defined
from yolox_attn.stats.multiple import holm
from yolox_attn.stats.noise import Noise, measured_noise
from yolox_attn.stats.paired import (
    Floats,
    Paired,
    image_error,
    image_interval,
    p_value,
    two_component,
)
from yolox_attn.stats.power import detectable_effect
from yolox_attn.stats.settle import Question, settle
from yolox_attn.stats.signflip import MAX_SEEDS, sign_flip_p
from yolox_attn.stats.signflip import MIN_SEEDS as FLIPPING
from yolox_attn.stats.verdict import MIN_SEEDS, Evidence, Verdict, Word, decide, evidence
from yolox_attn.stats.wording import checkpoints_sentence, settling_sentence, verdict_sentence


@dataclass(frozen=True)
class _Pairs:
    """Differences of one variant over the seeds that both sides have, AP points."""

    seeds: tuple[int, ...]
    differences: Floats  # (S,)
    replicates: Floats  # (R, S)
    paired: Paired


def judge(
    baseline: Side, variants: Sequence[Side], test: TestSet, terms: Terms
) -> dict[str, Judgement | None]:
    """Judge every variant against the baseline; None for one that shares no seed with it.

    The family of Holm's adjustment are all variants that are no controls, also those without a
    run: whoever leaves one out after looking has looked all the same. One with too few seeds for
    a verdict takes no step of Holm's from the others: its p counts as 1.

    Raises:
        InputError: the AP of a run is undefined, on the images or on a resample.
    """
    found = {side.name: _pair(baseline, side, test.images) for side in variants}
    pairs = {name: each for name, each in found.items() if each is not None}
    family = [side.name for side in variants if not side.control]
    adjusted = holm([_p_in_family(pairs.get(name)) for name in family])
    of_family = dict(zip(family, adjusted.tolist(), strict=True))
    judged: dict[str, Judgement | None] = dict.fromkeys(found)
    for side in variants:
        if side.name not in pairs:
            continue
        each = pairs[side.name]
        shown = of_family.get(side.name)
        p = float(p_value(each.paired)) if shown is None else shown
        rest = evidence(
            each.paired, p, family=1 if side.control else len(family), alpha=terms.alpha
        )
        rest = replace(rest, grouped=test.grouped)
        known = _judgement(side.name, each, rest, terms)
        others = explore(baseline, side, test, terms.alpha)
        judged[side.name] = replace(known, p_holm=shown, exploratory=others)
    return judged


def _p_in_family(pairs: _Pairs | None) -> float:
    if pairs is None or len(pairs.seeds) < MIN_SEEDS:
        return 1.0
    return float(p_value(pairs.paired))


def _pair(baseline: Side, side: Side, images: int) -> _Pairs | None:
    seeds = tuple(sorted(baseline.runs.keys() & side.runs.keys()))
    if not seeds:
        return None
    for each in (baseline, side):
        require_defined(each, seeds, PRIMARY)
    ours, theirs = ([each.runs[seed] for seed in seeds] for each in (side, baseline))
    differences = np.array(
        [a.figures[PRIMARY] - b.figures[PRIMARY] for a, b in zip(ours, theirs, strict=True)]
    )
    replicates = np.stack(
        [a.resampled[PRIMARY] - b.resampled[PRIMARY] for a, b in zip(ours, theirs, strict=True)],
        axis=1,
    )
    paired = two_component(differences, image_error(replicates), images)
    return _Pairs(seeds, differences, replicates, paired)


def _judgement(name: str, pairs: _Pairs, found: Evidence, terms: Terms) -> Judgement:
    paired, differences = pairs.paired, pairs.differences
    verdict = decide(found, sesoi=terms.sesoi)
    lower, upper = image_interval(paired, 1 - terms.alpha)
    checkpoints = float(lower), float(upper)
    noise = _noise(pairs)
    wins = superiority(differences, 1 - terms.alpha)
    several = FLIPPING <= differences.size <= MAX_SEEDS
    return Judgement(
        word=verdict.word.value,
        amount=None if verdict.amount is None else verdict.amount.value,
        sentence=_sentence(name, verdict, found, terms, checkpoints),
        settling=_settling(found, verdict.word, noise, terms),
        seeds=pairs.seeds,
        differences=tuple(fraction(value) for value in differences.tolist()),
        difference=fraction(found.difference),
        interval=_ends(found.interval),
        narrow=_ends(found.narrow),
        seed_error=_known(float(paired.seed_error)),
        image_error=fraction(float(paired.image_error)),
        freedom=_number(float(paired.freedom)),
        p_value=float(p_value(paired)),
        p_holm=None,
        p_equivalence=float(equivalence_p(paired, terms.sesoi)),
        probability=wins.probability,
        probability_interval=wins.interval,
        wins=wins.wins,
        ties=wins.ties,
        crossed=_both(
            crossed_interval(
                pairs.replicates, np.random.default_rng([terms.seed, 1]), 1 - terms.alpha
            )
        ),
        sign_flip=sign_flip_p(differences) if several else None,
        checkpoints=_both(checkpoints),
        noise=None if noise is None else _parts(noise),
        detectable=_detectable(noise, found, terms),
        exploratory=(),
    )


def _sentence(name: str, verdict: Verdict, found: Evidence, terms: Terms, checkpoints: Ends) -> str:
    """The verdict; of one run a side also how its checkpoints differ, which is all it shows."""
    sentence = verdict_sentence(name, verdict, found, sesoi=terms.sesoi)
    if found.seeds > 1 or found.identical:
        return sentence
    return f"{sentence} {checkpoints_sentence(checkpoints, terms.alpha)}"


def _noise(pairs: _Pairs) -> Noise | None:
    if len(pairs.seeds) < 2:
        return None
    return measured_noise(pairs.differences, pairs.replicates, pairs.paired.images)


def _settling(found: Evidence, word: Word, noise: Noise | None, terms: Terms) -> str | None:
    """Say what would settle it; None where it is settled or no noise of seeds is known."""
    if word is not Word.CANNOT_TELL:
        return None
    if noise is None:
        return "Train at least 3 seeds of both sides: what one seed is worth is not known yet."
    question = Question(found.difference, terms.sesoi, terms.alpha, found.family)
    plan = settle(question, noise, found.seeds, found.images)
    return settling_sentence(plan, found)


def _detectable(noise: Noise | None, found: Evidence, terms: Terms) -> float | None:
    if noise is None:
        return None
    effect = detectable_effect(
        noise, seeds=found.seeds, images=found.images, alpha=terms.alpha / found.family
    )
    return fraction(effect)


def _parts(noise: Noise) -> dict[str, float]:
    return {
        "method_image": fraction(noise.method_image),
        "seed": fraction(noise.seed),
        "seed_image": fraction(noise.seed_image),
    }


def _known(points: float) -> float | None:
    return fraction(points) if math.isfinite(points) else None


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _both(ends: tuple[float, ...]) -> Ends:
    lower, upper = ends
    return fraction(lower), fraction(upper)


def _ends(ends: Ends) -> Ends | None:
    return _both(ends) if all(map(math.isfinite, ends)) else None

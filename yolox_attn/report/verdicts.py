"""The verdicts put into a comparison: measured sides in, judgements, family and noise out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from yolox_attn.errors import InputError
from yolox_attn.report.means import difference
from yolox_attn.report.model import Comparison, Variant
from yolox_attn.report.noise import seed_noise
from yolox_attn.report.resamples import Resamples
from yolox_attn.stats.judge import judge
from yolox_attn.stats.judgement import Judgement, Terms
from yolox_attn.stats.measured import Measured, Side


def with_verdicts(
    comparison: Comparison,
    measured: Mapping[str, Mapping[int, Measured]],
    drawn: Resamples,
    terms: Terms,
    planned: Sequence[str] = (),
) -> Comparison:
    """Judge every variant by the runs that were measured.

    Where nothing can be judged the comparison comes back with a note that says why.

    Args:
        comparison: its variants without judgements, the baseline first.
        measured: variant -> seed -> the run's AP on the images and on the resamples.
        drawn: those resamples.
        terms: of the study.
        planned: variants that count in Holm's family whether they have a run or not.
    """
    here = [each.name for each in comparison.variants]
    absent = [name for name in planned if name not in here]
    sides = [
        Side(each.name, measured.get(each.name, {}), each.role == "control")
        for each in comparison.variants
    ]
    try:
        others = [*sides[1:], *(Side(name, {}) for name in absent)]
        judged = judge(sides[0], others, drawn.test_set, terms)
    except InputError as error:
        return noted(comparison, f"No verdict: {error}.")
    if not any(judged.values()):
        return noted(comparison, "No verdict: no variant has a run left to pair with the baseline.")
    variants = [_judged(each, comparison, judged.get(each.name)) for each in comparison.variants]
    unpaired = [name for name, judgement in judged.items() if judgement is None]
    return replace(
        noted(comparison, *(_unpaired(name, comparison.baseline) for name in unpaired)),
        variants=tuple(variants),
        terms=terms,
        family=tuple(side.name for side in others if not side.control),
        groups=drawn.groups,
        seed_noise=seed_noise(sides[0].runs, drawn.test_set, terms),
    )


def noted(comparison: Comparison, *notes: str) -> Comparison:
    """Return the comparison with more notes."""
    return replace(comparison, notes=(*comparison.notes, *notes))


def strangers(measured: Mapping[str, Mapping[int, Measured]]) -> list[str]:
    """Say which detections were left out for a class that the truth does not list."""
    counts = {name: sum(run.strangers for run in runs.values()) for name, runs in measured.items()}
    return [
        f"{name}: {count} detections of classes that the truth does not list are left out."
        for name, count in counts.items()
        if count
    ]


def _judged(variant: Variant, comparison: Comparison, judgement: Judgement | None) -> Variant:
    """Add the judgement; the difference beside it is over the same seeds."""
    if judgement is None:
        return variant
    shown = difference(variant.runs, comparison.variants[0].runs, judgement.seeds)
    return replace(variant, judgement=judgement, difference=shown)


def _unpaired(name: str, baseline: str) -> str:
    return f"{name}: no verdict, none of its runs has a partner among those of {baseline}."

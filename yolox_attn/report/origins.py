"""Where a report comes from: plan, runs left out, data, software, commands, how it was judged."""

from collections.abc import Mapping

from yolox_attn.report.cells import confidence
from yolox_attn.report.comparison import Comparison, Dropped
from yolox_attn.report.document import Bullets, Code, Section
from yolox_attn.stats.judgement import Judgement
from yolox_attn.stats.verdict import MIN_SEEDS

FEW_SEEDS = (
    "Three seeds that are the larger noise by far: such studies claim an effect where there is "
    "none in 8 to 10 of 100 cases, not in 5 (docs/statistics.md). Train five."
)


def dropped(comparison: Comparison) -> Section:
    """The runs that should be here and are not."""
    items = [f"{_title(each)}: {each.why.rstrip('.')}." for each in comparison.dropped]
    if not items:
        return Section("Missing and failed runs", ())
    text = "A seed that one side lacks is left out of the differences that need it:"
    return Section("Missing and failed runs", (text, Bullets(items)))


def plan(comparison: Comparison) -> Section:
    """What was agreed on, and when."""
    found, terms = comparison.plan, comparison.terms
    items = []
    if found is None:
        items.append("No plan was made before these runs: read the p values as exploratory.")
    else:
        items += [
            f"File: {found.file}, made {found.created}",
            f"SHA-256: {found.hash}",
            f"Split that judges: {found.split}",
            f"Seeds: {', '.join(map(str, found.seeds))}",
        ]
    if terms is not None:
        items += [
            f"Smallest effect worth having: {terms.sesoi:.2f} AP",
            f"Alpha: {terms.alpha:g}",
            f"Resamples of {comparison.groups or 'the test images'}: {terms.replicates}, drawn "
            f"with seed {terms.seed}",
        ]
    return Section("Plan", (Bullets(items),) if items else ())


def surroundings(comparison: Comparison) -> Section:
    """Data, software and hardware that all runs share."""
    groups: tuple[Mapping[str, object], ...] = (
        comparison.data,
        comparison.software,
        comparison.hardware,
    )
    names = ("Data", "Software", "Hardware")
    items = [
        f"{name}: {', '.join(f'{key} {value}' for key, value in group.items())}"
        for name, group in zip(names, groups, strict=True)
        if group
    ]
    return Section("Data, software and hardware", (Bullets(items),) if items else ())


def commands(comparison: Comparison) -> Section:
    """What to type to get these numbers again."""
    lines = comparison.commands
    return Section("To repeat it", (Code(lines),) if lines else ())


def notes(comparison: Comparison) -> Section:
    """How the numbers are to be read."""
    items = [*(_rules(comparison) if comparison.judged() else []), *comparison.notes]
    return Section("Notes", (Bullets(items),) if items else ())


def _few_seeds(found: Judgement) -> bool:
    """Whether it rests on three seeds that are the larger noise by far."""
    at_least = found.seed_error is not None and found.seed_error > 2 * found.image_error
    return len(found.seeds) == MIN_SEEDS and at_least


def _rules(comparison: Comparison) -> list[str]:
    family = ", ".join(comparison.family)
    adjusted = (
        f"p values are adjusted by Holm over the family: {family}"
        if len(comparison.family) > 1
        else f"p values are unadjusted: the family is {family or 'empty'}"
    )
    outside = [each.name for each in comparison.variants if each.role == "control"]
    if outside:
        adjusted += f"; controls stand outside of it: {', '.join(outside)}"
    few = [FEW_SEEDS] if any(_few_seeds(found) for _, found in comparison.judged()) else []
    return [
        *few,
        f"Intervals are {confidence(comparison)} two-component t intervals (seeds and test images),"
        " each unadjusted for the number of variants.",
        f"{adjusted}.",
        "The verdicts speak of training again, with other seeds, and of other images of this kind; "
        "fewer than 3 seeds give none.",
    ]


def _title(each: Dropped) -> str:
    return each.name if each.seed is None else f"{each.name} seed {each.seed}"

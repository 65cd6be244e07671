"""A report's sections that everybody reads: verdicts, results, noise, and where they come from."""

import re
from collections.abc import Mapping, Sequence

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.format import (
    NAME,
    Bullets,
    Code,
    Grid,
    Section,
    confidence,
    cost_columns,
    filled,
    main_columns,
    of_judgement,
    plain_columns,
    signed,
    size,
    span,
)
from yolox_attn.report.sentences import UNPLANNED, images_of, scale, verdict_sentences, warnings
from yolox_attn.stats.verdict import EDITION, Judgement

HASH = re.compile(r"\b[0-9a-f]{64}\b")
MOSTLY = 2 / 3  # of the variance: then one source of noise is the one to work against
ADVICE = {
    "seeds": "train more seeds",
    "images": "label more images",
    "both": "both alike",
    "none": "no noise at all",
    "unknown": "train 3 seeds or more",
}
ADVICE_IN_FULL = {
    "seeds": "In {} the training seeds are the larger noise by far: more seeds narrow it.",
    "images": "In {} the images are the larger noise by far: more labelled images narrow it.",
    "both": "In {} seeds and images are noise alike: add both, the cheaper one first.",
    "none": "In {} there is no noise at all, which separate trainings hardly ever show.",
    "unknown": "In {} there is one seed a side, so what a seed is worth is not known: train at"
    " least 3.",
}


def verdicts(comparison: Comparison) -> Section:
    """One sentence a variant, blocks first, and what they are about; else the warnings alone."""
    sentences = verdict_sentences(comparison)
    if not sentences:
        return Section("Warnings" if comparison.alone else "No verdict", warnings(comparison))
    items = [
        f"{'Control: ' if variant.role == 'control' else ''}{sentence}"
        for variant, sentence in sentences
    ]
    title = f"Verdicts against {comparison.baseline}"
    return Section(title, (scale(comparison), Bullets(items), *warnings(comparison)))


def settling(comparison: Comparison) -> Section:
    """What would settle the open cases; variants of which the same is said stand together.

    Nobody trains to settle a control: what is open there may stay open.
    """
    names: dict[str, list[str]] = {}
    for variant, _ in comparison.judged():
        if variant.settling is not None and variant.role != "control":
            names.setdefault(variant.settling, []).append(variant.name)
    items = [f"{', '.join(who)}: {sentence}" for sentence, who in names.items()]
    return Section("What would settle the open cases", (Bullets(items),) if items else ())


def dropped(comparison: Comparison) -> Section:
    """The runs that should be here and are not."""
    items = [f"{each.title}: {each.why.rstrip('.')}." for each in comparison.dropped]
    text = "A seed that one side lacks is left out of the differences that need it:"
    return Section("Missing and failed runs", (text, Bullets(items)) if items else ())


def results(comparison: Comparison) -> Section:
    """The table that is cited; every metric where nothing was judged."""
    plain = comparison.alone or comparison.terms is None
    columns = plain_columns() if plain else main_columns(comparison)
    grid = filled(columns | cost_columns(comparison), comparison.variants)
    text = (_plain_caption if plain else caption)(comparison, grid.headers)
    return Section("Results", (grid, text))


def seeds(comparison: Comparison) -> Section:
    """Each seed's difference, variant minus baseline: pairs side by side."""
    judged = comparison.judged()
    numbers = sorted({seed for _, judgement in judged for seed in judgement.seeds})
    rows = []
    for variant, judgement in judged:
        known = dict(zip(judgement.seeds, judgement.differences, strict=True))
        each = [signed(known.get(seed)) for seed in numbers]
        rows.append([variant.name, *each, signed(judgement.difference)])
    heads = ["variant", *(f"seed {seed}" for seed in numbers), "mean"]
    text = f"AP points, variant minus {comparison.baseline} of the same seed."
    return Section("Differences seed by seed", (text, Grid(heads, rows)) if rows else ())


def noise(comparison: Comparison) -> Section:
    """Whether to add seeds or to label images, and what this study could have seen."""
    title, judged = "Where the noise comes from", comparison.judged()
    if not judged:
        return Section(title, ())
    columns = NAME | {
        "seeds give": of_judgement(lambda judgement: _error(judgement.seed_error)),
        "images give": of_judgement(lambda judgement: _error(judgement.image_error)),
        "to narrow it": of_judgement(lambda judgement: ADVICE[source(judgement)]),
        "detectable": of_judgement(lambda judgement: size(judgement.detectable)),
    }
    grid = filled(columns, [variant for variant, _ in judged])
    text = "AP points: the two parts of the difference's standard error."
    if "detectable" in grid.headers:
        family = len(comparison.family)
        step = f" (blocks: at the first Holm step of {family})" if family > 1 else ""
        text += (
            " Detectable: a true effect of this size is found by such a study four times in five,"
            f" a smaller one less often{step}."
        )
    return Section(title, (advice(judged), grid, text))


def source(judgement: Judgement) -> str:
    """Which noise is the larger: "seeds", "images", "both", "none", "unknown" from one seed."""
    if judgement.seed_error is None:
        return "unknown"
    of_seeds, of_images = judgement.seed_error**2, judgement.image_error**2
    if of_seeds + of_images == 0:
        return "none"
    share = of_seeds / (of_seeds + of_images)
    if share >= MOSTLY:
        return "seeds"
    return "images" if share <= 1 - MOSTLY else "both"


def advice(judged: Sequence[tuple[Variant, Judgement]]) -> str:
    """The table of noise in one sentence; of the blocks, or of the controls where none is there."""
    blocks = [judgement for variant, judgement in judged if variant.role != "control"]
    sources = [source(each) for each in blocks or [judgement for _, judgement in judged]]
    most = max(ADVICE, key=sources.count)
    return ADVICE_IN_FULL[most].format(f"{sources.count(most)} of {len(sources)} variants")


def seed_noise(comparison: Comparison) -> Section:
    """A/A: how far the baseline moves by its seed alone."""
    title = f"How far {comparison.baseline} moves by its seed alone (A/A)"
    measured = comparison.seed_noise
    if measured is None:
        return Section(title, ())
    lower, upper = (size(end) for end in measured.interval)
    unit = "images" if comparison.groups is None else "groups of images"
    text = (
        f"{measured.runs} runs of {comparison.baseline} scatter by {size(measured.sd)} AP "
        f"(standard deviation; its 95 % limits are {lower} and {upper}). If pairing by seed brings "
        f"nothing, {measured.seeds} seeds a side on {measured.images} {unit} find a true effect of "
        f"{size(measured.detectable)} AP four times in five"
    )
    if comparison.terms is not None and comparison.alone:  # else said of each open variant
        wanted = f"{comparison.terms.sesoi:.2f} AP"
        if measured.needed is None:
            text += f"; no affordable number of seeds finds {wanted}"
        else:
            text += f"; to find {wanted} takes {measured.needed} seeds a side"
    return Section(title, (f"{text}.",))


def plan(comparison: Comparison) -> Section:
    """What was agreed on, and when; that there was no plan is said next to verdicts alone."""
    made, terms, items = comparison.plan, comparison.terms, []
    if made is not None:
        items += [
            f"File: {made.file}, made {made.created}",
            f"SHA-256: {made.hash}",
            f"Split that judges: {made.split}",
            f"Seeds: {', '.join(map(str, made.seeds))}",
        ]
    elif comparison.judged():
        items.append(UNPLANNED)
    if items and terms is not None:
        items += [
            f"Smallest effect worth having: {terms.sesoi:.2f} AP",
            f"Alpha: {terms.alpha:g}",
            f"Resamples of {comparison.groups or 'the images'}: {terms.replicates}, drawn "
            f"with seed {terms.seed}",
        ]
    return Section("Plan", (Bullets(items),) if items else ())


def provenance(comparison: Comparison) -> Section:
    """Data, software and hardware that all runs share."""
    groups: dict[str, Mapping[str, object]] = {
        "Data": comparison.data,
        "Software": comparison.software,
        "Hardware": comparison.hardware,
    }
    rows = [
        [name, key, HASH.sub(lambda hit: f"{hit[0][:12]}...", str(value))]
        for name, group in groups.items()
        for key, value in group.items()
    ]
    grid = Grid(["", "what", "is"], rows)
    return Section("Data, software and hardware", (grid,) if rows else ())


def commands(comparison: Comparison) -> Section:
    """What to type to get these numbers again."""
    lines = comparison.commands
    return Section("To repeat it", (Code(lines),) if lines else ())


def notes(comparison: Comparison) -> Section:
    """How the numbers are to be read."""
    items = [*(_rules(comparison) if comparison.judged() else []), *comparison.notes]
    return Section("Notes", (Bullets(items),) if items else ())


def caption(comparison: Comparison, heads: Sequence[str]) -> str:
    """What those columns of the main table mean that are not clear by their heads."""
    share = confidence(comparison.alpha)
    at = "" if comparison.test_size is None else f" at {'x'.join(map(str, comparison.test_size))},"
    meanings = {
        "AP": "mean ± standard deviation over the runs, in points (0-100)",
        "diff": f"mean over the paired seeds, variant minus {comparison.baseline}",
        f"{share} interval": "of diff, over seeds and images",
        "interval at its look": "the repeated one of diff, at the look that decided",
        "Holm p": "in brackets a control's, unadjusted",
        "p": "of no difference, unadjusted; in brackets a control's",
        "seeds won": f"with the exact {share} interval of the chance to win one",
        "GFLOPs": f"of an image{at} 2 a multiply-add",
        "latency (ms)": "median (10th to 90th percentile) of an image",
    }
    return "; ".join(f"{head}: {meanings[head]}" for head in heads if head in meanings) + "."


def _plain_caption(comparison: Comparison, heads: Sequence[str]) -> str:
    several = any(len(variant.runs) > 1 for variant in comparison.variants)
    images = f" on {judged_images}" if (judged_images := images_of(comparison)) else ""
    text = f"AP in points (0-100) of the latest checkpoint{images}"
    text += ", mean ± standard deviation over runs" if several else ""
    text += f"; diff: AP minus that of {comparison.baseline}" if "diff" in heads else ""
    if comparison.test_size is not None:
        text += f"; GFLOPs at {'x'.join(map(str, comparison.test_size))}, 2 a multiply-add"
    return f"{text}."


def _error(error: float | None) -> str:
    """One part of the standard error: "±0.12"; unknown from one seed."""
    return "unknown" if error is None else size(error, sign="±")


def looks(comparison: Comparison) -> Section:
    """The path of a study in stages: what was seen of each variant at each look."""
    title, rows = "Look by look", []
    for variant, judgement in comparison.judged():
        known = {each.number: each for each in judgement.looks}
        cells = [
            f"{signed(at.difference)} ({span(at.interval)})" if (at := known.get(number)) else ""
            for number in range(1, len(comparison.looks) + 1)
        ]
        rows.append([variant.name, *cells])
    if not comparison.looks:
        return Section(title, ())
    heads = [f"look {k}: {seeds} seeds" for k, seeds in enumerate(comparison.looks, start=1)]
    text = (
        "AP points, variant minus baseline; in brackets the repeated interval, which holds at all "
        "looks at once. Empty: the variant was decided before."
    )
    return Section(title, (Grid(["variant", *heads], rows), text))


def _rules(comparison: Comparison) -> list[str]:
    if comparison.looks:
        return _rules_of_stages(comparison)
    family = ", ".join(comparison.family)
    adjusted = (
        f"p values are adjusted by Holm over the family: {family}"
        if len(comparison.family) > 1
        else f"p values are unadjusted: the family is {family or 'empty'}"
    )
    outside = [each.name for each in comparison.variants if each.role == "control"]
    if outside:
        adjusted += f"; controls stand outside of it: {', '.join(outside)}"
    return [
        f"Intervals are {confidence(comparison.alpha)} intervals over seeds and images, each"
        f" unadjusted for the number of variants (edition {EDITION} of the procedure,"
        " docs/statistics.md).",
        f"{adjusted}.",
        "The verdicts speak of training again, with other seeds, and of other images of this kind; "
        "fewer than 3 seeds give none.",
    ]


def _rules_of_stages(comparison: Comparison) -> list[str]:
    seeds = ", ".join(map(str, comparison.looks))
    return [
        f"Judged at planned looks of {seeds} seeds a side, by the levels of the plan, which count "
        "looks and variants (edition "
        f"{EDITION} of the procedure, docs/statistics.md). p values are unadjusted.",
        "Each interval is the repeated one at the look that decided its variant: wider than that "
        "of a study of one look. An estimate that was claimed early runs high, by up to a fifth.",
        "The other metrics and the classes are unadjusted for the looks.",
        "The verdicts speak of training again, with other seeds, and of other images of this kind.",
    ]

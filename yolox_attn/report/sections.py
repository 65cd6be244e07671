"""A report's sections that everybody reads: verdicts, results, noise, and where they come from."""

from collections.abc import Mapping, Sequence

from yolox_attn.report.comparison import Comparison, Dropped, Variant
from yolox_attn.report.format import (
    NONE,
    Bullets,
    Code,
    Columns,
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
)
from yolox_attn.report.sentences import scale, warnings
from yolox_attn.stats.verdict import MIN_SEEDS, Judgement

MOSTLY = 2 / 3  # of the variance: then one source of noise is the one to work against
ADVICE = {
    "seeds": "train more seeds",
    "images": "label more images",
    "both": "both alike",
    "none": "no noise at all",
    "unknown": "train 3 seeds or more",
}
FEW_SEEDS = (
    "Three seeds that are the larger noise by far: such studies claim an effect where there is "
    "none in 8 to 10 of 100 cases, not in 5 (docs/statistics.md). Train five."
)


def verdicts(comparison: Comparison) -> Section:
    """One sentence a variant, blocks first, after what all of them speak of."""
    said = warnings(comparison)
    if not comparison.judged():
        return Section("No verdict", said)
    items = [f"{marked(variant)}{variant.sentence}" for variant, _ in comparison.judged()]
    items += [
        f"{marked(each)}{each.name} is not judged; the notes say why."
        for each in comparison.unjudged()
    ]
    title = f"Verdicts against {comparison.baseline}"
    return Section(title, (scale(comparison), Bullets(items), *said))


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


def results(comparison: Comparison) -> Section:
    """The table that is cited; every metric where nothing was judged."""
    if comparison.alone or comparison.terms is None:
        return Section("Results", (_plain_table(comparison), _plain_caption(comparison)))
    grid = filled(main_columns(comparison), comparison.variants)
    return Section("Results", (grid, caption(comparison, grid.headers)))


def seeds(comparison: Comparison) -> Section:
    """Each seed's difference, variant minus baseline: pairs side by side."""
    title, judged = "Differences seed by seed", comparison.judged()
    numbers = sorted({seed for _, found in judged for seed in found.seeds})
    if not numbers:
        return Section(title, ())
    rows = []
    for variant, found in judged:
        known = dict(zip(found.seeds, found.differences, strict=True))
        each = [signed(known.get(seed)) for seed in numbers]
        rows.append([variant.name, *each, signed(found.difference)])
    heads = ["variant", *(f"seed {seed}" for seed in numbers), "mean"]
    text = f"AP points, variant minus {comparison.baseline} of the same seed."
    return Section(title, (text, Grid(heads, rows)))


def noise(comparison: Comparison) -> Section:
    """Whether to add seeds or to label images, and what this study could have seen."""
    title, judged = "Where the noise comes from", comparison.judged()
    if not judged:
        return Section(title, ())
    columns: Columns = {
        "variant": lambda variant: variant.name,
        "seeds give": of_judgement(lambda found: give(found.seed_error)),
        "test images give": of_judgement(lambda found: give(found.image_error)),
        "to narrow it": of_judgement(lambda found: ADVICE[source(found)]),
        "detectable": of_judgement(lambda found: size(found.detectable)),
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
    return Section(title, (advice(comparison), grid, text))


def seed_noise(comparison: Comparison) -> Section:
    """A/A: how far the baseline moves by its seed alone."""
    title = f"How far {comparison.baseline} moves by its seed alone (A/A)"
    found = comparison.seed_noise
    if found is None:
        return Section(title, ())
    lower, upper = (size(end) for end in found.interval)
    unit = "images" if comparison.groups is None else "groups of images"
    text = (
        f"{found.runs} runs of {comparison.baseline} scatter by {size(found.sd)} AP "
        f"(standard deviation; its 95 % limits are {lower} and {upper}). If pairing by seed brings "
        f"nothing, {found.seeds} seeds a side on {found.images} {unit} find a true effect of "
        f"{size(found.detectable)} AP four times in five"
    )
    if comparison.terms is not None:
        wanted = f"{comparison.terms.sesoi:.2f} AP"
        if found.needed is None:
            text += f"; no affordable number of seeds finds {wanted}"
        else:
            text += f"; to find {wanted} takes {found.needed} seeds a side"
    return Section(title, (f"{text}.",))


def dropped(comparison: Comparison) -> Section:
    """The runs that should be here and are not."""
    title = "Missing and failed runs"
    items = [f"{_title(each)}: {each.why.rstrip('.')}." for each in comparison.dropped]
    text = "A seed that one side lacks is left out of the differences that need it:"
    return Section(title, (text, Bullets(items)) if items else ())


def plan(comparison: Comparison) -> Section:
    """What was agreed on, and when; no plan is worth a word beside verdicts alone."""
    found, terms = comparison.plan, comparison.terms
    items = []
    if found is not None:
        items += [
            f"File: {found.file}, made {found.created}",
            f"SHA-256: {found.hash}",
            f"Split that judges: {found.split}",
            f"Seeds: {', '.join(map(str, found.seeds))}",
        ]
    elif comparison.judged():
        items.append("No plan was made before these runs: read the p values as exploratory.")
    if items and terms is not None:
        items += [
            f"Smallest effect worth having: {terms.sesoi:.2f} AP",
            f"Alpha: {terms.alpha:g}",
            f"Resamples of {comparison.groups or 'the test images'}: {terms.replicates}, drawn "
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
    items = [
        f"{name}: {', '.join(f'{key} {value}' for key, value in group.items())}"
        for name, group in groups.items()
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


def marked(variant: Variant) -> str:
    """What stands before a control's sentence."""
    return "Control: " if variant.role == "control" else ""


def caption(comparison: Comparison, heads: Sequence[str]) -> str:
    """What those columns of the main table mean that are not clear by their heads."""
    share = confidence(comparison)
    at = "" if comparison.test_size is None else f" at {'x'.join(map(str, comparison.test_size))},"
    meanings = {
        "AP": "mean ± standard deviation over the runs, in points (0-100)",
        "diff": f"mean over the paired seeds, variant minus {comparison.baseline}",
        f"{share} interval": "of diff, over seeds and test images",
        "Holm p": "in brackets a control's, unadjusted",
        "seeds won": f"with the exact {share} interval of the chance to win one",
        "GFLOPs": f"of an image{at} 2 a multiply-add",
        "latency (ms)": "median (10th to 90th percentile) of an image",
    }
    return "; ".join(f"{head}: {meanings[head]}" for head in heads if head in meanings) + "."


def source(found: Judgement) -> str:
    """Which noise is the larger: "seeds", "images", "both", "none", "unknown" from one seed."""
    if found.seed_error is None:
        return "unknown"
    of_seeds, of_images = found.seed_error**2, found.image_error**2
    if of_seeds + of_images == 0:
        return "none"
    share = of_seeds / (of_seeds + of_images)
    if share >= MOSTLY:
        return "seeds"
    return "images" if share <= 1 - MOSTLY else "both"


def advice(comparison: Comparison) -> str:
    """The table of noise in one sentence; of the blocks, or of the controls where none is there."""
    judged = comparison.judged()
    blocks = [found for variant, found in judged if variant.role != "control"]
    sources = [source(found) for found in blocks or [found for _, found in judged]]
    most = max(ADVICE, key=sources.count)
    number = f"{sources.count(most)} of {len(sources)} variants"
    return {
        "seeds": f"Add seeds: in {number} the training seeds are the larger noise by far, and more "
        "test images would change little.",
        "images": f"Label images: in {number} the test images are the larger noise by far, and "
        "more seeds would change little.",
        "both": f"In {number} seeds and test images are noise alike: add both, the cheaper one "
        "first.",
        "none": f"In {number} there is no noise at all, which separate trainings hardly ever show.",
        "unknown": f"In {number} there is one seed a side, so what a seed is worth is not known: "
        "train at least 3.",
    }[most]


def give(error: float | None) -> str:
    """One standard error: "±0.12"; unknown from one seed."""
    return "unknown" if error is None else size(error, sign="±")


def _plain_table(comparison: Comparison) -> Grid:
    """Every metric, also one that no run has; of the costs those that some variant has."""
    costs, columns = cost_columns(comparison), plain_columns(comparison)
    rows = {
        head: [show(variant) for variant in comparison.variants] for head, show in columns.items()
    }
    heads = [head for head in columns if head not in costs or {*rows[head]} != {NONE}]
    return Grid(heads, [*zip(*(rows[head] for head in heads), strict=True)])


def _plain_caption(comparison: Comparison) -> str:
    several = any(len(variant.runs) > 1 for variant in comparison.variants)
    images = "" if comparison.val_images is None else f" on {comparison.val_images} images"
    shape = comparison.test_size
    counted = "" if shape is None else f"; GFLOPs at {shape[0]}x{shape[1]}, 2 a multiply-add"
    return (
        f"AP in points (0-100) of the latest checkpoint{images}"
        f"{', mean ± standard deviation over runs' if several else ''}; "
        f"diff: AP minus that of {comparison.baseline}{counted}."
    )


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


def _few_seeds(found: Judgement) -> bool:
    """Whether it rests on three seeds that are the larger noise by far."""
    by_far = found.seed_error is not None and found.seed_error > 2 * found.image_error
    return len(found.seeds) == MIN_SEEDS and by_far


def _title(each: Dropped) -> str:
    return each.name if each.seed is None else f"{each.name} seed {each.seed}"

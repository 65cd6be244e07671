"""How large the noise of a study is, where it comes from, and what to do about it."""

from collections.abc import Sequence

from yolox_attn.report.cells import Columns, filled, of_judgement, size
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.document import Grid, Section
from yolox_attn.stats.judgement import Judgement

MOSTLY = 2 / 3  # of the variance: then one source of noise is the one to buy against
ADVICE = {
    "seeds": "train more seeds",
    "images": "label more images",
    "both": "both alike",
    "none": "no noise at all",
    "unknown": "train 3 seeds or more",
}
Pairs = Sequence[tuple[Variant, Judgement]]


def noise(comparison: Comparison) -> Section:
    """Whether to buy seeds or to label images, and what this study could have seen."""
    judged = comparison.judged()
    title = "Where the noise comes from"
    if not judged:
        return Section(title, ())
    columns: Columns = {"variant": lambda variant: variant.name}
    columns |= {
        "seeds give": of_judgement(lambda found: give(found.seed_error)),
        "test images give": of_judgement(lambda found: give(found.image_error)),
        "to narrow it": of_judgement(lambda found: ADVICE[source(found)]),
        "detectable": of_judgement(lambda found: size(found.detectable)),
    }
    heads, rows = filled(columns, [variant for variant, _ in judged])
    align = "".join("l" if head in ("variant", "to narrow it") else "r" for head in heads)
    text = "AP points: the two parts of the difference's standard error."
    if "detectable" in heads:
        text += (
            " Detectable: a true effect of this size is found by such a study four times in five,"
            f" a smaller one less often{_at_first_step(comparison)}."
        )
    return Section(title, (advice(judged), Grid(heads, rows, align), text))


def floor(comparison: Comparison) -> Section:
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
    if comparison.terms is None:
        return Section(title, (f"{text}.",))
    wanted = f"{comparison.terms.sesoi:.2f} AP"
    if found.needed is None:
        return Section(title, (f"{text}; no affordable number of seeds finds {wanted}.",))
    return Section(title, (f"{text}; to find {wanted} takes {found.needed} seeds a side.",))


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


def advice(judged: Pairs) -> str:
    """The table of noise in one sentence; of the blocks, or of the controls where none is there."""
    blocks = [found for variant, found in judged if variant.role != "control"]
    sources = [source(found) for found in blocks or [found for _, found in judged]]
    most = max(("seeds", "images", "both", "none", "unknown"), key=sources.count)
    count = f"{sources.count(most)} of {len(sources)} variants"
    return {
        "seeds": f"Buy seeds: in {count} the training seeds are the larger noise by far, and more "
        "test images would change little.",
        "images": f"Label images: in {count} the test images are the larger noise by far, and more "
        "seeds would change little.",
        "both": f"In {count} seeds and test images are noise alike: buy both, the cheaper one "
        "first.",
        "none": f"In {count} there is no noise at all, which separate trainings hardly ever show.",
        "unknown": f"In {count} there is one seed a side, so what a seed is worth is not known: "
        "train at least 3.",
    }[most]


def give(error: float | None) -> str:
    """One standard error: "±0.12"; unknown from one seed."""
    return "unknown" if error is None else f"±{size(error)}"


def _at_first_step(comparison: Comparison) -> str:
    family = len(comparison.family)
    return f" (blocks: at the first Holm step of {family})" if family > 1 else ""

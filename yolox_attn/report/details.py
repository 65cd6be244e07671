"""A report's other sections: what a reader asks who wants to check it, or to explore further."""

import statistics
from collections.abc import Callable

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.format import (
    NONE,
    Bullets,
    Cell,
    Columns,
    Grid,
    Part,
    Section,
    confidence,
    count,
    duration,
    filled,
    mean,
    of_judgement,
    p_text,
    seeds_won,
    signed,
    span,
)
from yolox_attn.stats.judge import LEAST_IMAGES
from yolox_attn.stats.verdict import Exploratory, Judgement
from yolox_attn.stats.weighted_ap import METRICS

# Block of a control -> what it is there for.
PURPOSES = {
    "placebo": "The placebo scales channels, which the next convolution could do as well; it should"
    " come out as no worthwhile difference or cannot tell, and anything else is a warning.",
    "plain": "A plain block has as many parameters as the block it stands beside, but no attention;"
    " a block that does no better owes its gain to its size.",
}


def controls(comparison: Comparison) -> Section:
    """What the controls are for, and what came out."""
    found = [each for each in comparison.variants if each.role == "control"]
    blocks = {name for each in found for name in (each.attention, *(b.block for b in each.built))}
    purposes = [text for name, text in PURPOSES.items() if name in blocks]
    results = [f"{each.name}: {_result(each, confidence(comparison))}." for each in found]
    return Section("Controls", (Bullets(purposes + results),) if found else ())


def secondary(comparison: Comparison) -> Section:
    """Other ways to look at the same pairs, none of which decides."""
    judged = [variant for variant, _ in comparison.judged()]
    share = confidence(comparison)
    columns: Columns = {"variant": lambda variant: variant.name}
    shown: dict[str, Callable[[Judgement], str]] = {
        "p": lambda found: p_text(None if found.seed_error is None else found.p_value),
        "equivalence p": lambda found: p_text(
            None if found.seed_error is None else found.p_equivalence
        ),
        "sign-flip p": lambda found: p_text(found.sign_flip),
        "seeds won": seeds_won,
        f"crossed bootstrap {share}": lambda found: span(  # one seed drawn again is no seed's noise
            None if found.seed_error is None else found.crossed
        ),
        f"these very checkpoints {share}": lambda found: span(found.checkpoints),
    }
    columns |= {head: of_judgement(show) for head, show in shown.items()}
    text = (
        "p: of the main interval, unadjusted. Equivalence p: below alpha, the difference is "
        "smaller than the smallest effect worth having. The others decide nothing. Sign-flip p: "
        "exact, from 6 seeds on. Crossed bootstrap: seeds and images drawn again. These very "
        "checkpoints: noise of the images alone; it says nothing of the block trained anew."
    )
    return Section(
        "The same differences in other ways", (filled(columns, judged), text) if judged else ()
    )


def built(comparison: Comparison) -> Section:
    """What really stands where, and whether the optimiser has all of it."""
    title = "What was built"
    totals: Columns = {
        "variant": lambda variant: variant.name,
        "attention": lambda variant: variant.attention,
        "parameters": lambda variant: count(variant.parameters),
        "trainable": lambda variant: count(variant.trainable),
        "in the optimiser": lambda variant: count(variant.optimised),
    }
    grid = filled(totals, comparison.variants)
    if len(grid.headers) < 3:
        return Section(title, ())
    parts: list[Part] = [grid]
    blocks = [
        [each.name, part.level, part.block, _options(part.options), count(part.parameters)]
        for each in comparison.variants
        for part in each.built
    ]
    if blocks:
        names = ["variant", "level", "block", "options", "parameters"]
        parts.append(Grid(names, blocks))
    parts += [
        f"{each.name}: {each.trainable - each.optimised:,} trainable parameters are not in the "
        "optimiser and stayed as they were."
        for each in comparison.variants
        if each.trainable is not None
        and each.optimised is not None
        and each.trainable > each.optimised
    ]
    return Section(title, parts)


def cost(comparison: Comparison) -> Section:
    """What the runs took."""
    columns: Columns = {
        "variant": lambda variant: variant.name,
        "training time of a run": _time,
        "peak memory": _memory,
    }
    grid = filled(columns, comparison.variants)
    text = "Time: mean over the runs. Memory: the most that any of them took."
    return Section("Cost of training", (grid, text) if len(grid.headers) > 1 else ())


def exploratory(comparison: Comparison) -> Section:
    """The other metrics and the classes."""
    judged = comparison.judged()
    if not judged:
        return Section("Exploratory", ())
    text = (
        "Exploratory: where a difference might lie, never whether there is one. In brackets the "
        f"{confidence(comparison)} interval, unadjusted; p adjusted by Benjamini and Hochberg over "
        "a variant's metrics, or over its classes."
    )
    columns: Columns = {"variant": lambda variant: variant.name}
    columns |= {key: lambda variant, key=key: mean(variant, key) for key in METRICS}  # type: ignore[misc]
    parts: list[Part] = [text, filled(columns, comparison.variants)]
    for kind in ("metric", "class"):
        if rows := [
            [name, *_images(found), *(_explored(each) for each in found.values())]
            for name, found in explored(comparison, kind).items()
        ]:
            images = ["images"] if kind == "class" else []
            parts.append(Grid([kind, *images, *(variant.name for variant, _ in judged)], rows))
    if any(_rare(each) for _, found in judged for each in found.exploratory):
        parts.append(f"A class on fewer than {LEAST_IMAGES} images has no interval and no p value.")
    return Section("Other metrics and classes (exploratory)", parts)


def explored(comparison: Comparison, kind: str) -> dict[str, dict[str, Exploratory | None]]:
    """Return name of the metric or class -> variant -> what was found."""
    judged = comparison.judged()
    names = (each.name for _, found in judged for each in found.exploratory if each.kind == kind)
    table: dict[str, dict[str, Exploratory | None]] = {
        name: dict.fromkeys(variant.name for variant, _ in judged) for name in names
    }
    for variant, found in judged:
        for each in found.exploratory:
            if each.kind == kind:
                table[each.name][variant.name] = each
    return table


def images_of(found: dict[str, Exploratory | None]) -> int | None:
    """Return how many images show a class, as any variant's row says."""
    return next((each.images for each in found.values() if each), None)


def _images(found: dict[str, Exploratory | None]) -> list[str]:
    kinds = {each.kind for each in found.values() if each}
    return [count(images_of(found))] if kinds == {"class"} else []


def _explored(each: Exploratory | None) -> str:
    if each is None or each.difference is None:
        return NONE
    text = signed(each.difference)
    if each.interval is not None:
        text = f"{text} ({span(each.interval)}), p {p_text(each.p_adjusted)}"
    return Cell(text, each.difference)


def _rare(each: Exploratory) -> bool:
    return each.images is not None and each.images < LEAST_IMAGES


def _result(variant: Variant, share: str) -> str:
    found = variant.judgement
    if found is None:
        return "not judged"
    text = f"{found.word}, {signed(found.difference)} AP"
    return text if found.interval is None else f"{text}, {share} interval {span(found.interval)}"


def _options(options: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items()) or "its defaults"


def _time(variant: Variant) -> str:
    seconds = [run.seconds for run in variant.runs if run.seconds is not None]
    return duration(statistics.fmean(seconds)) if seconds else NONE


def _memory(variant: Variant) -> str:
    peaks = [run.peak_memory for run in variant.runs if run.peak_memory is not None]
    return Cell(f"{max(peaks) / 2**30:.2f} GiB", max(peaks)) if peaks else NONE

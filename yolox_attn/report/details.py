"""A report's other sections: what a reader asks who wants to check it, or to explore further."""

import statistics
from collections.abc import Callable

from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.format import (
    NAME,
    NONE,
    Bullets,
    Cell,
    Grid,
    Part,
    Section,
    confidence,
    duration,
    filled,
    metric_columns,
    of_judgement,
    p_text,
    seeds_won,
    signed,
    span,
    whole,
)
from yolox_attn.stats.judge import LEAST_IMAGES
from yolox_attn.stats.verdict import Exploratory, Judgement

PURPOSES = {  # block of a control -> what it is there for
    "placebo": "The placebo scales channels, which the next convolution could do as well; it should"
    " come out as no worthwhile difference or cannot tell, and anything else is a warning.",
    "plain": "A plain block has as many parameters as the block it is compared with, but no"
    " attention; a block that does no better owes its gain to its size.",
}


def controls(comparison: Comparison) -> Section:
    """What the controls are for, and what came out."""
    variants = [each for each in comparison.variants if each.role == "control"]
    blocks = {each.attention for each in variants}
    blocks |= {part.block for each in variants for part in each.built}
    purposes = [text for name, text in PURPOSES.items() if name in blocks]
    share = confidence(comparison.alpha)
    items = [*purposes, *(f"{each.name}: {_result(each, share)}." for each in variants)]
    return Section("Controls", (Bullets(items),) if variants else ())


def secondary(comparison: Comparison) -> Section:
    """Other ways to look at the same pairs, none of which decides."""
    title, share = "The same differences in other ways", confidence(comparison.alpha)
    if not comparison.judged():
        return Section(title, ())
    shown: dict[str, Callable[[Judgement], str]] = {
        "p": _of_seeds(lambda judgement: p_text(judgement.p_value)),
        "equivalence p": _of_seeds(lambda judgement: p_text(judgement.p_equivalence)),
        "sign-flip p": lambda judgement: p_text(judgement.sign_flip),
        "seeds won": seeds_won,
        f"crossed bootstrap {share}": _of_seeds(lambda judgement: span(judgement.crossed)),
        f"these very checkpoints {share}": lambda judgement: span(judgement.checkpoints),
        "correlation": _correlation,
        "pairing saved": _saved,
    }
    columns = NAME | {head: of_judgement(show) for head, show in shown.items()}
    text = (
        "p: of the main interval, unadjusted. Equivalence p: below alpha, the difference is "
        "smaller than the smallest effect worth having. The others decide nothing. Sign-flip p: "
        "exact, from 6 seeds on. Crossed bootstrap: seeds and images drawn again. These very "
        "checkpoints: noise of the images alone; it says nothing of the block trained anew."
    )
    if any(judgement.pairing for _, judgement in comparison.judged()):
        text += (
            f" Correlation: of both sides' AP over the seeds, with its {share} limits. Pairing "
            "saved: the share of the seeds that unpaired runs would have needed besides for an "
            "answer as exact."
        )
    return Section(title, (filled(columns, [variant for variant, _ in comparison.judged()]), text))


def exploratory(comparison: Comparison) -> Section:
    """The other metrics and the classes."""
    title, judged = "Other metrics and classes (exploratory)", comparison.judged()
    if not judged:
        return Section(title, ())
    text = (
        "Exploratory: where a difference might lie, never whether there is one. In brackets the "
        f"{confidence(comparison.alpha)} interval, unadjusted; p adjusted by Benjamini and Hochberg"
        " over a variant's metrics, or over its classes."
    )
    names = [variant.name for variant, _ in judged]
    metrics, classes = explored(comparison, "metric"), explored(comparison, "class")
    parts: list[Part] = [
        text,
        filled(NAME | metric_columns(), comparison.variants),
        Grid(["metric", *names], [[row[0].name, *map(_explored, row)] for row in metrics]),
        Grid(
            ["class", "images", *names],
            [[row[0].name, whole(row[0].images), *map(_explored, row)] for row in classes],
        ),
    ]
    if any((row[0].images or 0) < LEAST_IMAGES for row in classes):
        parts.append(f"A class on fewer than {LEAST_IMAGES} images has no interval and no p value.")
    return Section(title, parts)


def explored(comparison: Comparison, kind: str) -> list[tuple[Exploratory, ...]]:
    """Return a row a metric or class (`kind`): the result of each judged variant."""
    columns = (
        [each for each in judgement.exploratory if each.kind == kind]
        for _, judgement in comparison.judged()
    )
    return list(zip(*columns, strict=True))


def built(comparison: Comparison) -> Section:
    """What was really built where, and whether the optimiser has all of it."""
    title = "What was built"
    columns = NAME | {
        "attention": lambda variant: variant.attention,
        "parameters": lambda variant: whole(variant.parameters),
        "trainable": lambda variant: whole(variant.trainable),
        "in the optimiser": lambda variant: whole(variant.optimised),
    }
    totals = filled(columns, comparison.variants)
    if len(totals.headers) < 3:
        return Section(title, ())
    parts: list[Part] = [totals]
    levels = [
        [each.name, part.level, part.block, _options(part.options), whole(part.parameters)]
        for each in comparison.variants
        for part in each.built
    ]
    if levels:
        parts.append(Grid(["variant", "level", "block", "options", "parameters"], levels))
    for each in comparison.variants:
        trainable, optimised = each.trainable, each.optimised
        if trainable is not None and optimised is not None and trainable > optimised:
            parts.append(
                f"{each.name}: {trainable - optimised:,} trainable parameters are not in the "
                "optimiser and stayed as they were."
            )
    return Section(title, parts)


def cost(comparison: Comparison) -> Section:
    """What the runs took."""
    columns = NAME | {"training time of a run": _time, "peak memory": _memory}
    grid = filled(columns, comparison.variants)
    text = "Time: mean over the runs. Memory: the most that any of them took."
    return Section("Cost of training", (grid, text) if len(grid.headers) > 1 else ())


def _result(variant: Variant, share: str) -> str:
    judgement = variant.judgement
    if judgement is None:
        return "not judged"
    text = f"{judgement.word}, {signed(judgement.difference)} AP"
    interval = judgement.interval
    return text if interval is None else f"{text}, {share} interval {span(interval)}"


def _of_seeds(show: Callable[[Judgement], str]) -> Callable[[Judgement], str]:
    """Show what holds for other seeds too; nothing from one seed, whose noise is not known."""
    return lambda judgement: NONE if judgement.seed_error is None else show(judgement)


def _correlation(judgement: Judgement) -> str:
    found = judgement.pairing
    if found is None:
        return NONE
    lower, upper = found.interval
    return Cell(f"{found.correlation:+.2f} ({lower:+.2f} to {upper:+.2f})", found.correlation)


def _saved(judgement: Judgement) -> str:
    """Share of the runs that pairing saved; nothing where it cost some."""
    found = judgement.pairing
    if found is None:
        return NONE
    return Cell(f"{100 * found.saved:.0f} %" if found.saved > 0 else "nothing", found.saved)


def _explored(each: Exploratory) -> str:
    if each.difference is None:
        return NONE
    text = signed(each.difference)
    if each.interval is not None:
        text = f"{text} ({span(each.interval)}), p {p_text(each.p_adjusted)}"
    return Cell(text, each.difference)


def _options(options: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items()) or "its defaults"


def _time(variant: Variant) -> str:
    seconds = [run.seconds for run in variant.runs if run.seconds is not None]
    return duration(statistics.fmean(seconds)) if seconds else NONE


def _memory(variant: Variant) -> str:
    peaks = [run.peak_memory for run in variant.runs if run.peak_memory is not None]
    return Cell(f"{max(peaks) / 2**30:.2f} GiB", max(peaks)) if peaks else NONE

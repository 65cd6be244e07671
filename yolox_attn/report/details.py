"""The second part of a report: what a reader asks who wants to check or to repeat it."""

import statistics
from collections.abc import Callable

from yolox_attn.report.cells import (
    NONE,
    Columns,
    confidence,
    filled,
    of_judgement,
    p_text,
    seeds_won,
    signed,
    span,
)
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.document import Bullets, Grid, Part, Section
from yolox_attn.report.explored import exploratory
from yolox_attn.stats.judgement import Judgement

__all__ = ["built", "controls", "cost", "exploratory", "secondary"]

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
    heads, rows = filled(columns, judged)
    text = (
        "p: of the main interval, unadjusted. Equivalence p: below alpha, the difference is "
        "smaller than the smallest effect worth having. The others decide nothing. Sign-flip p: "
        "exact, from 6 seeds on. Crossed bootstrap: seeds and images drawn again. These very "
        "checkpoints: noise of the images alone; it says nothing of the block trained anew."
    )
    return Section(
        "The same differences in other ways", (Grid(heads, rows), text) if judged else ()
    )


def built(comparison: Comparison) -> Section:
    """What really stands where, and whether the optimiser has all of it."""
    title = "What was built"
    totals: Columns = {
        "variant": lambda variant: variant.name,
        "attention": lambda variant: variant.attention,
        "parameters": lambda variant: _count(variant.parameters),
        "trainable": lambda variant: _count(variant.trainable),
        "in the optimiser": lambda variant: _count(variant.optimised),
    }
    heads, rows = filled(totals, comparison.variants)
    if len(heads) < 3:
        return Section(title, ())
    parts: list[Part] = [Grid(heads, rows, "llr")]
    blocks = [
        [each.name, part.level, part.block, _options(part.options), _count(part.parameters)]
        for each in comparison.variants
        for part in each.built
    ]
    if blocks:
        names = ["variant", "level", "block", "options", "parameters"]
        parts.append(Grid(names, blocks, "llllr"))
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
    heads, rows = filled(columns, comparison.variants)
    text = "Time: mean over the runs. Memory: the most that any of them took."
    return Section("Cost of training", (Grid(heads, rows), text) if len(heads) > 1 else ())


def _result(variant: Variant, share: str) -> str:
    found = variant.judgement
    if found is None:
        return "not judged"
    text = f"{found.word}, {signed(found.difference)} AP"
    return text if found.interval is None else f"{text}, {share} interval {span(found.interval)}"


def _options(options: dict[str, object]) -> str:
    return ", ".join(f"{key} {value}" for key, value in options.items()) or "its defaults"


def _count(number: int | None) -> str:
    return NONE if number is None else f"{number:,}"


def _time(variant: Variant) -> str:
    seconds = [run.seconds for run in variant.runs if run.seconds is not None]
    return duration(statistics.fmean(seconds)) if seconds else NONE


def _memory(variant: Variant) -> str:
    peaks = [run.peak_memory for run in variant.runs if run.peak_memory is not None]
    return f"{max(peaks) / 2**30:.2f} GiB" if peaks else NONE


def duration(seconds: float) -> str:
    """A time in the unit that suits it: "95 s", "10.3 min", "3.4 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 100 * 60 else f"{seconds / 3600:.1f} h"

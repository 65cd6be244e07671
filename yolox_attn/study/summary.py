"""A plan in words: what is run, what each variant is for, what it takes, what it could find."""

from collections.abc import Sequence
from types import SimpleNamespace

from tabulate import tabulate

from yolox_attn.console import count
from yolox_attn.exp.image_size import sizes_in_words
from yolox_attn.report.format import duration
from yolox_attn.stats.terms import Terms
from yolox_attn.study.estimate import detectable, needed, wall_time
from yolox_attn.study.plan import Plan
from yolox_attn.study.planner import PlannedStudy
from yolox_attn.study.slots import slowdown
from yolox_attn.study.variants import BuiltVariant

NOISE = (
    "A study of the noise: the baseline alone, trained anew with every seed (A/A). Its report says",
    "how far AP moves by the seed alone (s_seed), which effect so many seeds could find, and how",
    "many seeds the smallest effect worth having needs. Until pairs of runs exist, their",
    "differences are taken to scatter by sqrt(2) s_seed.",
)
NOT_COUNTED = "  (what the choice of test images adds is not in it: the report measures it)"
# SD of paired differences, AP points, from detectors on COCO to a small set of one's own.
USUAL_NOISE = (0.3, 0.6, 1.0, 2.0)


def plan_lines(study: PlannedStudy, parallel: int) -> list[str]:
    """Say what the plan is; `parallel` runs at a time are what this machine has room for."""
    plan = study.plan
    seeds = ", ".join(map(str, plan.seeds))
    runs = len(plan.seeds) * len(plan.variants)
    lines = [
        f"{count(runs, 'run')}: {count(len(study.variants), 'variant')}, seeds {seeds}",
        "",
        *_table(study.variants),
        "",
        *_purposes(study.variants),
        sizes_in_words(SimpleNamespace(**study.variants[0].config)),
        _judging(study),
        *_looks_lines(plan),
        *time_lines(study, parallel),
        *effect_lines(study.paired_sd, len(plan.seeds), plan.family_size, plan.terms),
    ]
    return lines + [f"note: {remark}" for remark in study.remarks]


def _table(variants: Sequence[BuiltVariant]) -> list[str]:
    rows = [
        (each.name, "block" if each.role == "variant" else each.role, _placed(each),
         f"{each.parameters:,}", f"{each.own:,}")
        for each in variants
    ]  # fmt: skip
    heads = ["name", "role", "attention", "parameters", "of attention"]
    align = ["left", "left", "left", "right", "right"]
    return tabulate(rows, heads, disable_numparse=True, colalign=align).splitlines()


def _placed(variant: BuiltVariant) -> str:
    """Return "cam on dark3, dark4, dark5", or "cam on dark3; se on dark5"."""
    levels: dict[str, list[str]] = {}
    for level, placed in variant.attention.items():
        levels.setdefault(placed["block"], []).append(level)
    return "; ".join(f"{block} on {', '.join(at)}" for block, at in levels.items()) or "none"


def _purposes(variants: Sequence[BuiltVariant]) -> list[str]:
    """Say what each control is for."""
    lines = []
    for each in variants:
        if each.role == "control" and each.wanted is None:
            lines.append(
                f"{each.name}: a trained scale for each channel, which the next convolution could "
                'take over. It must come out as "no worthwhile difference" or "cannot tell"; if it '
                "does not, trust no other verdict of this study either."
            )
        elif each.wanted is not None:
            scale = each.config["attention_init"] == "identity"
            apart = ", the scale of its identity start left aside" if scale else ""
            lines.append(
                f"{each.name}: as many parameters without attention (it has {each.own:,}, the "
                f"block {each.wanted:,}{apart}). A block that helps no more than it does, helps by "
                "its size, not by its idea."
            )
    return lines


def _judging(study: PlannedStudy) -> str:
    plan = study.plan
    by = "" if study.groups is None else f" in {study.groups} groups by {plan.groups}"
    return (
        f"judged: AP of the last EMA checkpoint on {plan.split} ({study.images} images{by}); "
        f"smallest effect worth having {plan.terms.sesoi:g} AP, alpha {plan.terms.alpha:g}"
    )


def _looks_lines(plan: Plan) -> list[str]:
    """Say at which numbers of seeds a study in stages is judged, and how small p must be."""
    if plan.stages is None:
        return []
    first = ", ".join(f"{level:.4f}" for level in plan.stages.levels[-1])
    last = ", ".join(f"{level:.4f}" for level in plan.stages.alone)
    text = (
        f"looks: at {', '.join(map(str, plan.stages.looks))} seeds a side; p below {first} is the"
    )
    text += " first claim" + (f", below {last} the last" if len(plan.stages.levels) > 1 else "")
    return [f"{text}; what is decided gets no further runs, so the times below are the most"]


def time_lines(study: PlannedStudy, parallel: int) -> list[str]:
    """Say how long the runs will take, or why that is not known."""
    lines = [
        f"note: no estimate for {name}: {reason}"
        for name, reason in study.probes.items()
        if isinstance(reason, str)
    ]
    timed, plan = study.timed, study.plan
    if not timed:
        return lines or ["time: not estimated (--no-probe)"]
    seconds = [each.seconds for each in timed.values() for _ in plan.seeds]
    least, most = duration(min(seconds)), duration(max(seconds))
    a_run = least if least == most else f"{least} to {most}"
    memory = max(each.memory or 0 for each in timed.values()) / 2**30
    room = f", {memory:.1f} GiB of memory" if memory else ""
    device = next(iter(timed.values())).device
    lost = ", ".join(name for name in study.probes if name not in timed)
    where = f"{device}, without {lost}" if lost else device
    total = f"time: about {duration(sum(seconds))} on {where} (a run {a_run}{room})"
    return [total + _side_by_side(study, seconds, parallel), *lines]


def _side_by_side(study: PlannedStudy, seconds: Sequence[float], parallel: int) -> str:
    """Say what several runs at a time make of it, `parallel` being how many there will be."""
    if parallel > 1:
        slower = slowdown(study.plan.expected, parallel)
        faster = duration(wall_time([slower * each for each in seconds], parallel))
        each = f", each {slower:.2f} times as long as alone" if study.slowdown else " at best"
        return f"; {parallel} at a time about {faster}{each}"
    tried = "; ".join(
        f"{many} at a time failed" if times is None
        else f"{many} at a time each takes {times:.2f} times as long"
        for many, times in study.slowdown.items()
    )  # fmt: skip
    return f", one after the other ({tried})" if tried else ""


def effect_lines(sd: float | None, seeds: int, family: int, terms: Terms) -> list[str]:
    """Say which effect a study of so many seeds would find, for one noise or for usual ones.

    `sd` of the paired differences is in AP points, None where it is unknown; `family` variants
    share alpha.
    """
    if seeds < 2:
        return ["effect: one seed finds none of any size: what seeds do to AP stays unknown"]
    holm = f", at Holm's first step among {family} blocks" if family > 1 else ""
    find = f"{seeds} seeds find four times in five{holm}"
    if sd is None:
        return [
            f"effect: the true difference, AP, that {find}:",
            *_usual_lines(seeds, family, terms),
        ]
    many = needed(sd, family, terms)
    enough = f"{terms.sesoi:g} AP needs {many} seeds" if many else "no number of seeds is enough"
    return [
        f"effect: with paired differences of SD {sd:.2f} AP, {find}, a true difference of "
        f"{detectable(sd, seeds, family, terms):.1f} AP or more; {enough}",
        NOT_COUNTED,
    ]


def _usual_lines(seeds: int, family: int, terms: Terms) -> list[str]:
    rows = [
        (f"{sd:.1f}", f"{detectable(sd, seeds, family, terms):.1f}", needed(sd, family, terms))
        for sd in USUAL_NOISE
    ]
    heads = ["SD of paired differences", "found from", f"seeds for {terms.sesoi:g} AP"]
    table = tabulate(rows, heads, tablefmt="simple", stralign="right", disable_numparse=True)
    return [
        *(f"  {line}" for line in table.splitlines()),
        "  which line is yours, `study noise` measures: --noise STUDY_OR_SD then gives one number",
        NOT_COUNTED,
    ]

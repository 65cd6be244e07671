"""A plan in words: what is run, what each variant is for, what it takes, what it could find."""

from collections.abc import Mapping, Sequence
from typing import Any

from tabulate import tabulate

from yolox_attn.study.forecast import detectable, duration, effect_lines, wall_time
from yolox_attn.study.making import Made
from yolox_attn.study.members import Member
from yolox_attn.study.plan import Plan
from yolox_attn.study.probe import Probe

NOISE = (
    "A study of the noise: the baseline alone, trained anew with every seed (A/A). Its report says",
    "how far AP moves by the seed alone (s_seed), which effect so many seeds could find, and how",
    "many seeds the smallest effect worth having needs. Until pairs of runs exist, their",
    "differences are taken to scatter by sqrt(2) s_seed.",
)
Probes = Mapping[str, Probe | str]  # variant -> what was timed, or why nothing was


def plan_lines(made: Made, probes: Probes, sd: float | None, parallel: int) -> list[str]:
    """Say what the plan is.

    Args:
        made: the plan.
        probes: of its variants; empty where none was asked for.
        sd: standard deviation of paired differences, AP points, if it is known.
        parallel: runs at a time that this machine has room for.
    """
    plan = made.plan
    seeds = ", ".join(map(str, plan.seeds))
    runs = len(plan.seeds) * len(plan.variants)
    lines = [
        f"{_count(runs, 'run')}: {_count(len(made.members), 'variant')}, seeds {seeds}",
        "",
        *_table(made.members),
        "",
        *_purposes(made.members),
        _judging(made),
        *time_lines(plan, probes, parallel),
        *effect_lines(sd, len(plan.seeds), family(plan), plan.terms),
    ]
    return lines + [f"note: {remark}" for remark in made.remarks]


def family(plan: Plan) -> int:
    """Return how many variants share alpha: the controls do not."""
    return sum(variant.role == "variant" for variant in plan.variants)


def _table(members: Sequence[Member]) -> list[str]:
    rows = [
        (each.name, "block" if each.role == "variant" else each.role, _placed(each),
         f"{each.parameters:,}", f"{each.own:,}")
        for each in members
    ]  # fmt: skip
    heads = ["name", "role", "attention", "parameters", "of attention"]
    align = ["left", "left", "left", "right", "right"]
    return tabulate(rows, heads, disable_numparse=True, colalign=align).splitlines()


def _placed(member: Member) -> str:
    """Return "cam on dark3, dark4, dark5", or "cam on dark3; se on dark5"."""
    levels: dict[str, list[str]] = {}
    for level, placed in member.attention.items():
        levels.setdefault(placed["block"], []).append(level)
    return "; ".join(f"{block} on {', '.join(at)}" for block, at in levels.items()) or "none"


def _purposes(members: Sequence[Member]) -> list[str]:
    """Say what each control is for."""
    lines = []
    for each in members:
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


def _judging(made: Made) -> str:
    plan = made.plan
    by = "" if made.groups is None else f" in {made.groups} groups by {plan.groups}"
    return (
        f"judged: AP of the last EMA checkpoint on {plan.split} ({made.images} images{by}); "
        f"smallest effect worth having {plan.terms.sesoi:g} AP, alpha {plan.terms.alpha:g}"
    )


def time_lines(plan: Plan, probes: Probes, parallel: int) -> list[str]:
    """Say how long the runs will take, or why that is not known."""
    known = {name: found for name, found in probes.items() if isinstance(found, Probe)}
    lines = [
        f"note: no estimate for {name}: {found}"
        for name, found in probes.items()
        if isinstance(found, str)
    ]
    if not known:
        return lines or ["time: not estimated (--no-probe)"]
    seconds = [found.seconds for found in known.values() for _ in plan.seeds]
    least, most = duration(min(seconds)), duration(max(seconds))
    each = least if least == most else f"{least} to {most}"
    memory = max(found.memory or 0 for found in known.values()) / 2**30
    room = f", {memory:.1f} GiB of memory" if memory else ""
    device = next(iter(known.values())).device
    lost = ", ".join(name for name in probes if name not in known)
    where = f"{device}, without {lost}" if lost else device
    total = f"time: about {duration(sum(seconds))} on {where} (a run {each}{room})"
    if parallel > 1:
        faster = duration(wall_time(seconds, parallel))
        total += f"; with --max-parallel {parallel} about {faster} at best"
    return [total, *lines]


def expected(plan: Plan, probes: Probes, sd: float | None) -> dict[str, Any]:
    """Return what the plan file keeps of the estimates: seconds, bytes and AP points."""
    known = {name: found for name, found in probes.items() if isinstance(found, Probe)}
    seconds = {name: round(found.seconds, 1) for name, found in known.items()}
    many = len(plan.seeds)
    effect = detectable(sd, many, family(plan), plan.terms) if sd is not None and many > 1 else None
    return {
        "runs": many * len(plan.variants),
        "seconds_of_a_run": seconds,
        "seconds": round(many * sum(seconds.values()), 1) if known else None,
        "memory": max((each.memory for each in known.values() if each.memory), default=None),
        "device": next(iter(known.values())).device if known else None,
        "paired_sd": sd,
        "detectable": effect,
    }


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

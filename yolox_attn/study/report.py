"""What a study finds, by the plan that it began with: runs in, verdicts and files out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from yolox_attn.device import pick_device
from yolox_attn.errors import InputError
from yolox_attn.names import PLAN_NAME
from yolox_attn.report import Comparison, Run, measure_latency, write_comparison
from yolox_attn.report.comparison import PlanSummary
from yolox_attn.report.sentences import settling_sentence, verdict_sentence
from yolox_attn.stats.verdict import EDITION, AtLook, Judgement, Word, amount_of
from yolox_attn.study.commands import study_command
from yolox_attn.study.judge_look import compare_eligible, hashes
from yolox_attn.study.looks import Look, decisions, next_look, read_looks
from yolox_attn.study.plan import Plan, check_unchanged, read_plan
from yolox_attn.study.planned_run import UNFINISHED, planned_runs, state_of

REPORT = "report"  # folder of a study


@dataclass(frozen=True)
class ReportOptions:
    """How a report is made, besides what the plan says.

    Args:
        output: where its files go; None: STUDY/report.
        latency: time the models; device, repeats: where and how often.
    """

    output: Path | None = None
    latency: bool = True
    device: str = "auto"
    repeats: int = 30


def report_study(
    folder: Path, options: ReportOptions, progress: Callable[[str], None]
) -> Comparison:
    """Judge the study in `folder` by its plan and write the report's files.

    A run that is missing, failed, or is not what the plan says leaves the comparison with its
    pair, and the report names it and why.

    Raises:
        InputError: no plan, a truth that has changed, or not one run of the baseline.
    """
    plan = read_plan(folder)
    check_unchanged(plan, only={plan.truth, plan.groups})
    looks = read_looks(plan, folder)
    if plan.stages is not None and (number := next_look(plan, looks)) is not None:
        raise InputError(
            f"{folder}: look {number} of {len(plan.stages.looks)} is to come, and until the study "
            f"is over only its states are shown: {study_command('status', folder)}"
        )
    runs, comparison = compare_eligible(plan, folder, progress)
    if looks:
        comparison = _with_looks(comparison, plan, looks, runs)
    if options.latency:
        progress(f"measuring the latency of {len(comparison.variants)} models ...")
        device = pick_device(options.device)
        comparison = measure_latency(comparison, runs, device=device, repeats=options.repeats)
    states = [state_of(job) for job in planned_runs(plan, folder)]
    comparison = replace(
        comparison,
        plan=PlanSummary(str(folder / PLAN_NAME), plan.hash, plan.created, plan.split, plan.seeds),
        notes=(*_changed(plan), *_edition(plan), *_before_the_plan(runs, plan), *comparison.notes),
        commands=_commands(plan, folder),
        pending=sum(state in (*UNFINISHED, "running") for state in states),
    )
    written = write_comparison(options.output or folder / REPORT, comparison)
    progress(f"written: {', '.join(map(str, written))}")
    return comparison


def _with_looks(
    comparison: Comparison, plan: Plan, looks: Sequence[Look], runs: Sequence[Run]
) -> Comparison:
    """Return the comparison with the words and the intervals of the looks that decided."""
    assert plan.stages is not None
    variants = []
    for variant in comparison.variants:
        if variant.judgement is not None:
            judgement = _at_looks(variant.name, variant.judgement, plan, looks)
            sentence = verdict_sentence(variant.name, judgement, plan.terms)
            settling = settling_sentence(judgement, plan.terms)
            variant = replace(variant, judgement=judgement, sentence=sentence, settling=settling)
        variants.append(variant)
    now = hashes(runs)
    changed = [
        f"{key} has changed since look {look.number} was judged; the look's verdicts stand."
        for look in looks
        for key, sha in look.runs.items()
        if now.get(key, sha) != sha
    ]
    return replace(comparison, variants=tuple(variants), looks=plan.stages.looks).noted(*changed)


def _at_looks(name: str, judgement: Judgement, plan: Plan, looks: Sequence[Look]) -> Judgement:
    """Return what the look that decided says, with the path to it; the last one where none did."""
    assert plan.stages is not None
    look, finding = decisions(plan, looks).get(name) or (looks[-1], looks[-1].variants[name])
    word = finding.word or Word.CANNOT_TELL.value
    ends, amount = (finding.interval, finding.narrow), None
    if word in (Word.HELPS.value, Word.HURTS.value) and ends[0] and ends[1]:
        points = [(100 * lower, 100 * upper) for lower, upper in (ends[0], ends[1])]
        amount = amount_of(points[0], points[1], plan.terms.sesoi).value
    path = [
        AtLook(each.number, len(seen.seeds), seen.difference, seen.interval)
        for each in looks[: look.number]
        if (seen := each.variants.get(name)) and seen.difference is not None
    ]
    return replace(
        judgement,
        word=word,
        amount=amount,
        family=1,
        difference=judgement.difference if finding.difference is None else finding.difference,
        alpha=plan.stages.alone[look.number - 1],
        interval=finding.interval,
        narrow=finding.narrow,
        p_holm=None if judgement.p_holm is None else judgement.p_value,
        settling=judgement.settling if word == Word.CANNOT_TELL.value else None,
        looks=tuple(path),
        why=finding.why,
    )


def _changed(plan: Plan) -> list[str]:
    """Say which file of the plan is another now: no run begins with it, but those made stand."""
    try:
        check_unchanged(plan)
    except InputError as error:
        return [f"Since the plan was made: {error}."]
    return []


def _edition(plan: Plan) -> list[str]:
    """Say that the plan was made when another procedure judged."""
    if plan.edition == EDITION:
        return []
    return [
        f"The plan was made when edition {plan.edition or 1} of the procedure judged; edition "
        f"{EDITION} has judged here (docs/statistics.md says what differs)."
    ]


def _before_the_plan(runs: Sequence[Run], plan: Plan) -> list[str]:
    """Name the blocks' runs that were there before the plan: it may have been made with them."""
    made = _time(plan.created)
    early = [
        run.title
        for run in runs
        if run.name != plan.baseline.name and _time(run.record.started) < made
    ]
    if not early:
        return []
    return [
        f"Begun before the plan was made, so that the plan may know their results: "
        f"{', '.join(early)}. Read the p values as exploratory."
    ]


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise InputError(f"{text!r} is not a time that can be read: {error}") from error


def _commands(plan: Plan, folder: Path) -> tuple[str, ...]:
    """Return the lines that repeat the study."""
    planned = (plan.command,) if plan.command else ()
    return (*planned, *(study_command(name, folder) for name in ("run", "report")))

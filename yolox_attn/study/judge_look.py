"""A look of a study in stages: its runs judged by the levels of the plan, once."""

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from yolox_attn.core.describe import now
from yolox_attn.errors import InputError
from yolox_attn.report import Comparison, JudgingRequest, Run, build_comparison, judge_runs
from yolox_attn.report.comparison import in_order
from yolox_attn.runs import RECORD_NAME, file_hash
from yolox_attn.stats.interval import Paired, interval
from yolox_attn.stats.judge import fraction
from yolox_attn.stats.stages import LookRules, Outcome, decide_control, decide_look
from yolox_attn.stats.verdict import Judgement
from yolox_attn.study.eligibility import eligible_runs
from yolox_attn.study.looks import (
    Finding,
    Look,
    claimed,
    left_out,
    next_look,
    open_variants,
    read_looks,
    write_look,
)
from yolox_attn.study.plan import Plan, check_unchanged
from yolox_attn.study.planned_run import PlannedRun, key_of, planned_runs, reason_of, state_of

NOT_FINITE = "not finite"  # as training says of losses and gradients


def judge_look(
    plan: Plan, folder: Path, progress: Callable[[str], None], *, leave_out: bool = False
) -> Look:
    """Judge the look that is to come and write it down; only for who holds the study.

    Args:
        plan: of a study in stages that is not over.
        folder: of the study.
        progress: called with a line before each run.
        leave_out: do without finished runs that cannot be judged, for good.

    Raises:
        InputError: a file of the plan that judges has changed, no run of the baseline is left, or a
            finished run cannot be judged and was not to be left out.
    """
    looks = read_looks(plan, folder)
    number = next_look(plan, looks)
    assert plan.stages is not None
    assert number is not None
    check_unchanged(plan, only={plan.truth, plan.groups})
    jobs = planned_runs(plan, folder)
    runs, comparison = compare_eligible(plan, folder, progress)
    judged = {variant.name: judgement for variant, judgement in comparison.judged()}
    rules = LookRules(plan.stages, number, claimed(plan, looks), plan.terms.sesoi)
    diverged = _diverged(plan, jobs)
    outcomes = _outcomes(plan, looks, judged, rules, diverged)
    gone = {key_of(each.name, each.seed): each.why for each in comparison.dropped}
    before = left_out(looks)
    if not leave_out:
        _refuse_odd([job for job in jobs if job.key not in before], gone)
    look = Look(
        number=number,
        seeds=plan.stages.looks[number - 1],
        judged=now(),
        plan=plan.hash,
        before=looks[-1].hash if looks else "",
        runs={key: sha for key, sha in hashes(runs).items() if key not in gone},
        left_out={key: why for key, why in gone.items() if key not in before},
        variants={
            name: _finding(judged.get(name), outcome, rules, diverged.get(name, 0))
            for name, outcome in outcomes.items()
        },
    )
    write_look(folder, [*looks, look])
    return look


def _refuse_odd(jobs: Sequence[PlannedRun], gone: Mapping[str, str]) -> None:
    """Refuse a look while a finished run cannot be judged: that can be fixed, a look cannot."""
    for job in jobs:
        why = gone.get(job.key)
        if why is not None and state_of(job) == "finished":
            raise InputError(
                f"the look is not judged: {job.title}: {why.rstrip('.')}; fix it, or leave "
                "its pair out for good with --leave-out-failed"
            )


def compare_eligible(
    plan: Plan, folder: Path, progress: Callable[[str], None]
) -> tuple[list[Run], Comparison]:
    """Return the plan's runs that may be judged, and what they say by its terms.

    Runs that are missing, failed, or not what the plan says are named in `dropped`.

    Raises:
        InputError: not one run of the baseline, or what `judge_runs` refuses.
    """
    runs, dropped = eligible_runs(plan, folder)
    if plan.baseline.name not in {run.name for run in runs}:
        raise InputError(f"{folder}: no run of the baseline {plan.baseline.name} to judge by")
    comparison = build_comparison(runs, baseline=plan.baseline.name, alone=True)
    roles = {each.name: each.role for each in plan.variants}
    variants = [replace(each, role=roles[each.name]) for each in comparison.variants]
    comparison = replace(comparison, variants=in_order(variants))
    family = tuple(each.name for each in plan.variants if each.role == "variant")
    request = JudgingRequest(
        terms=plan.terms, truth=Path(plan.truth), groups=plan.groups, planned=family
    )
    comparison = judge_runs(comparison, runs, request, progress)
    return runs, replace(comparison, dropped=(*dropped, *comparison.dropped))


def hashes(runs: Sequence[Run]) -> dict[str, str]:
    """Return each run's key and a sha256 of its record and of the detections that judge it."""
    found = {}
    for run in runs:
        parts = (file_hash(run.folder / RECORD_NAME), file_hash(run.detections))
        key = key_of(run.name, run.record.seed)
        found[key] = hashlib.sha256(" ".join(parts).encode()).hexdigest()
    return found


def has_diverged(job: PlannedRun) -> bool:
    """Tell whether a run failed since its losses or gradients were not finite: a result of it."""
    return NOT_FINITE in reason_of(job)


def _diverged(plan: Plan, jobs: Sequence[PlannedRun]) -> dict[str, int]:
    """Return by how many each variant's diverged runs exceed the baseline's."""
    counts = Counter(job.variant.name for job in jobs if has_diverged(job))
    return {each.name: counts[each.name] - counts[plan.baseline.name] for each in plan.variants}


def _outcomes(
    plan: Plan,
    looks: Sequence[Look],
    judged: Mapping[str, Judgement],
    rules: LookRules,
    diverged: Mapping[str, int],
) -> dict[str, Outcome]:
    """Return what the look says of each open block, and of every control."""
    undecided = {name: _paired(judged.get(name)) for name in open_variants(plan, looks)}
    found = decide_look(undecided, rules, diverged)
    for each in plan.variants:
        if each.role == "control":
            found[each.name] = decide_control(_paired(judged.get(each.name)), rules)
    return found


def _paired(judgement: Judgement | None) -> Paired:
    """Return the judgement's numbers in AP points; of none, a pair that decides nothing."""
    if judgement is None:
        nothing = np.array(0.0)
        return Paired(nothing, np.array(np.inf), nothing, nothing, seeds=1, images=2.0)
    of_seeds = np.inf if judgement.seed_error is None else 100 * judgement.seed_error
    of_images = np.array(100 * judgement.image_error)
    difference = np.array(100 * judgement.difference)
    return Paired(
        difference=difference,
        seed_error=np.array(of_seeds),
        image_error=of_images,
        checkpoint_error=of_images,
        seeds=len(judgement.seeds),
        images=judgement.effective,
    )


def _finding(
    judgement: Judgement | None, outcome: Outcome, rules: LookRules, diverged: int
) -> Finding:
    word = None if outcome.word is None else outcome.word.value
    why = None if outcome.why is None else outcome.why.name
    if judgement is None:
        return Finding(word=word, why=why, diverged=diverged)
    paired, level = _paired(judgement), rules.levels[0]
    ends = []
    for confidence in (1 - level, 1 - 2 * level):
        lower, upper = (fraction(float(end)) for end in interval(paired, confidence))
        ends.append((lower, upper) if np.isfinite([lower, upper]).all() else None)
    return Finding(
        seeds=judgement.seeds,
        difference=judgement.difference,
        interval=ends[0],
        narrow=ends[1],
        p_value=judgement.p_value,
        word=word,
        why=why,
        diverged=diverged,
    )

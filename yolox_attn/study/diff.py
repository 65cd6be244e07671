"""A study against its replication: what differed, and is each result replicated?"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from yolox_attn.coco.annotations import read_truth
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import Comparison, Variant
from yolox_attn.report.format import Bullets, Grid, Section, signed, span
from yolox_attn.report.merge import identity, read_studies
from yolox_attn.runs import DETECTIONS_NAME
from yolox_attn.stats import behrens_fisher
from yolox_attn.stats.judge import fraction
from yolox_attn.stats.measured import Measured, Resamples, draw_resamples, measure_file
from yolox_attn.stats.pooling import Change, word_of_change
from yolox_attn.stats.values import Floats
from yolox_attn.stats.verdict import PRIMARY, Judgement

SAME = ("baseline", "test_size", "epochs", "groups", "edition", "terms")  # named where they differ


@dataclass(frozen=True)
class Repeated:
    """A block in both studies: its variants, and how far the second effect is from the first."""

    first: Variant
    second: Variant
    change: Change


def diff(paths: Sequence[Path]) -> list[Section]:
    """Compare two studies, by their reports; on one truth also by the detections of their runs.

    Raises:
        InputError: a report is missing or cannot be read; they share no judged block, or a run; or
            they were judged by one truth and detections of their runs are not there.
    """
    studies = read_studies(paths)
    if len(studies) != 2:
        raise InputError(f"study diff takes two studies, not {len(studies)}")
    (first_name, first), (second_name, second) = studies.items()
    pairs = [
        (ours, theirs)
        for ours, _ in first.judged()
        for theirs, _ in second.judged()
        if identity(ours) == identity(theirs)
    ]
    if not pairs:
        raise InputError(f"{first_name} and {second_name} have judged no block that is the same")
    _refuse_shared_runs(first, second)
    truths = [each.data.get("truth_sha256") for each in (first, second)]
    shared = None
    if truths[0] is not None and truths[0] == truths[1]:
        shared = _draws(first)
    repeated = [Repeated(*pair, _change(*pair, (first, second), shared)) for pair in pairs]
    rows = [
        [
            each.first.name,
            f"{_word(each.first)}, {_effect(each.first)}",
            f"{_word(each.second)}, {_effect(each.second)}",
            f"{signed(each.change.difference)} ({span(each.change.interval)})",
            each.change.word,
        ]
        for each in repeated
    ]
    heads = ["block", first_name, second_name, "second minus first", "result"]
    text = (
        "AP points with 95 % intervals. Replicated: both say the same, and the 90 % interval of "
        "the change lies inside the smallest effect worth having. Not replicated: the 95 % "
        "interval of the change leaves out 0."
    )
    facts = differing(first, second)
    return [
        Section("What differs", (Bullets(facts or ["nothing that the reports name"]),)),
        Section("Replication", (Grid(heads, rows), text)),
    ]


def differing(first: Comparison, second: Comparison) -> list[str]:
    """Return what differs in protocol, versions, data and plan, a line each."""
    lines = []
    for name in SAME:
        ours, theirs = getattr(first, name), getattr(second, name)
        if ours != theirs:
            lines.append(f"{name}: {ours} -> {theirs}")
    for name in ("data", "software", "hardware"):
        ours, theirs = getattr(first, name), getattr(second, name)
        lines += [
            f"{name}: {key} {ours.get(key)} -> {theirs.get(key)}"
            for key in sorted(ours.keys() | theirs.keys())
            if ours.get(key) != theirs.get(key)
        ]
    plans = [each.plan.seeds if each.plan else () for each in (first, second)]
    if plans[0] != plans[1]:
        lines.append(f"planned seeds: {_numbers(plans[0])} -> {_numbers(plans[1])}")
    return lines


def _numbers(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds)) or "none"


def _refuse_shared_runs(first: Comparison, second: Comparison) -> None:
    """Refuse studies with a run in common: they are not independent."""
    folders = [
        {Path(run.folder).resolve() for each in study.variants for run in each.runs}
        for study in (first, second)
    ]
    if both := folders[0] & folders[1]:
        raise InputError(f"{min(both)} is a run of both studies: they are not two")


def _draws(study: Comparison) -> Resamples:
    """Return the blocks of images to leave out, as the first study had them."""
    truth, terms = study.data.get("truth"), study.terms
    if truth is None or not Path(str(truth)).is_file() or terms is None:
        raise InputError(f"{truth}: both studies were judged by this truth, which is not there")
    groups = None if study.groups is None else study.groups.rpartition(" by ")[2]
    return draw_resamples(read_truth(Path(str(truth))), terms, groups)


def _change(
    ours: Variant,
    theirs: Variant,
    studies: tuple[Comparison, Comparison],
    shared: Resamples | None,
) -> Change:
    first, second = _judgement(ours), _judgement(theirs)
    seeds = [100 * (each.seed_error or 0.0) for each in (first, second)]
    if None in (first.seed_error, second.seed_error):
        raise InputError(f"{ours.name}: one seed has no error to compare by")
    freedoms = [len(each.seeds) - 1.0 for each in (first, second)]
    if shared is None:
        images = [100 * each.image_error for each in (first, second)]
        of_images = math.hypot(*images)
        image_freedom = _welch(images, [each.effective - 1 for each in (first, second)])
    else:
        of_images = _image_error(ours, theirs, studies, shared)
        image_freedom = first.effective - 1
    scales = math.hypot(*seeds), of_images
    if not any(scales):
        raise InputError(f"{ours.name}: no noise at all in either study: its runs are identical")
    by = (_welch(seeds, freedoms), image_freedom)
    difference = 100 * (second.difference - first.difference)
    ends = []
    terms = studies[0].terms
    alpha, sesoi = (0.05, 0.5) if terms is None else (terms.alpha, terms.sesoi)
    for tail in (alpha / 2, alpha):
        half = float(behrens_fisher.quantile(tail, scales, by))
        ends.append((fraction(difference - half), fraction(difference + half)))
    word = word_of_change(
        ends[0], ends[1], same_word=first.word == second.word, sesoi=fraction(sesoi)
    )
    return Change(fraction(difference), ends[0], ends[1], word)


def _welch(errors: Sequence[float], freedoms: Sequence[float]) -> float:
    """Return the degrees of freedom of two variances added up, as Welch and Satterthwaite have."""
    squares = np.square(errors)
    parts = float((squares**2 / np.array(freedoms)).sum())
    return float(squares.sum() ** 2 / parts) if parts else float(min(freedoms))


def _image_error(
    ours: Variant, theirs: Variant, studies: tuple[Comparison, Comparison], shared: Resamples
) -> float:
    """Return what the images do to the change, AP points: most of it cancels on one truth."""
    tables = [
        _left_out(variant, study, shared)
        for variant, study in zip((ours, theirs), studies, strict=True)
    ]
    blocks, count = tables[0].shape
    matrix = (blocks - 1) ** 2 / blocks * np.cov(np.concatenate(tables, axis=1).T, ddof=1)
    own = [_off_diagonal(matrix[:count, :count]), _off_diagonal(matrix[count:, count:])]
    return float(np.sqrt(max(sum(own) - 2 * float(matrix[:count, count:].mean()), 0.0)))


def _off_diagonal(matrix: NDArray[np.float64]) -> float:
    count = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (count * (count - 1)))


def _left_out(variant: Variant, study: Comparison, shared: Resamples) -> Floats:
    """Return (G, S): the differences of the variant's pairs with each block of images left out."""
    sides: list[list[Measured]] = []
    for side in (variant, study.variants[0]):
        runs = {run.seed: run for run in side.runs}
        seeds = _judgement(variant).seeds
        sides.append([_measured(runs[seed].folder, study, shared) for seed in seeds])
    return np.stack(
        [a.left_out[PRIMARY] - b.left_out[PRIMARY] for a, b in zip(*sides, strict=True)], axis=1
    )


def _measured(folder: str, study: Comparison, shared: Resamples) -> Measured:
    below = "eval_test" if study.plan is not None and study.plan.split == "test" else ""
    path = Path(folder) / below / DETECTIONS_NAME
    if not path.is_file():
        raise InputError(
            f"{path} is not there: two studies on one truth are compared by their detections"
        )
    return measure_file(path, shared)


def _judgement(variant: Variant) -> Judgement:
    assert variant.judgement is not None  # of judged variants alone
    return variant.judgement


def _word(variant: Variant) -> str:
    return _judgement(variant).word


def _effect(variant: Variant) -> str:
    found = _judgement(variant)
    return f"{signed(found.difference)} ({span(found.interval)})"

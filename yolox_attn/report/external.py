"""External detections, judged: COCO results and their truth are all that is needed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from yolox_attn.coco.annotations import read_truth
from yolox_attn.coco.evaluate import Metrics
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import (
    Comparison,
    RunResult,
    Variant,
    difference,
    mean_metrics,
    sd_metrics,
)
from yolox_attn.report.judge_runs import Progress, Request, unknown_categories, with_verdicts
from yolox_attn.runs import file_hash
from yolox_attn.stats.judge import fraction
from yolox_attn.stats.measured import Measured, Resamples, draw_resamples, measure_file
from yolox_attn.stats.weighted_ap import METRICS, best_engine

Files = Sequence[Path]
UNKNOWN = "unknown"


@dataclass(frozen=True)
class _Side:
    name: str
    files: Files
    measured: dict[int, Measured]


def compare_detections(
    truth: Path,
    sides: Mapping[str, Files],
    baseline: str | None,
    request: Request,
    progress: Progress | None = None,
) -> Comparison:
    """Judge detections that no run of ours left: the k-th file of a side pairs with the k-th.

    Args:
        truth: COCO annotations of the test images.
        sides: variant -> its COCO results, one file a training.
        baseline: the side to subtract; None: the first.
        request: how to judge; its `truth` is not looked at.
        progress: called with a line before each file.

    Raises:
        InputError: fewer than two sides, a side without a file, no such baseline, one file twice,
            or a file that cannot be read or does not fit the truth.
    """
    first = _checked(sides, baseline)
    drawn = draw_resamples(read_truth(truth), request.terms, request.groups)
    total, done = sum(map(len, sides.values())), 0
    engine = best_engine().name
    measured: list[_Side] = []
    for name in (first, *(name for name in sides if name != first)):
        found = {}
        for number, path in enumerate(sides[name], start=1):
            done += 1
            if progress:
                progress(f"judging {done} of {total}: {name}, {path} ({engine})")
            found[number] = measure_file(path, drawn)
        measured.append(_Side(name, sides[name], found))
    comparison = _comparison(measured, truth, drawn)
    of_sides = {side.name: side.measured for side in measured}
    comparison = replace(comparison, notes=(*_notes(measured), *unknown_categories(of_sides)))
    return with_verdicts(comparison, of_sides, drawn, request.terms)


def _checked(sides: Mapping[str, Files], baseline: str | None) -> str:
    """Refuse what cannot be compared, and return the baseline's name."""
    if len(sides) < 2:
        raise InputError("a comparison needs the detections of two sides at least, as A=a.json")
    for name, files in sides.items():
        if not files:
            raise InputError(f"{name}: no file of detections")
    if baseline is not None and baseline not in sides:
        raise InputError(f"--baseline {baseline}: no such side; here: {', '.join(sides)}")
    seen: dict[Path, Path] = {}
    for path in chain.from_iterable(sides.values()):
        if path.resolve() in seen:
            raise InputError(f"{path} is given twice: every training has detections of its own")
        seen[path.resolve()] = path
    _refuse_copies(sides)
    return baseline or next(iter(sides))


def _refuse_copies(sides: Mapping[str, Files]) -> None:
    """Refuse one side's file under two names: it would pass for a second training."""
    for files in sides.values():
        seen: dict[str, Path] = {}
        for path in files:
            if not path.is_file():
                raise InputError(f"{path}: no such file")
            if other := seen.get(content := file_hash(path)):
                raise InputError(f"{other} and {path} are copies of one file, not two trainings")
            seen[content] = path


def _comparison(sides: Sequence[_Side], truth: Path, drawn: Resamples) -> Comparison:
    baseline, *others = (_variant(side) for side in sides)
    beside = (
        replace(each, role="variant", difference=difference(each.runs, baseline.runs))
        for each in others
    )
    return Comparison(
        baseline=baseline.name,
        variants=(baseline, *beside),
        test_size=None,
        val_images=len(drawn.truth.images),
        data={
            "truth": str(truth),
            "truth_sha256": file_hash(truth),
            "classes": len(drawn.truth.class_names),
        },
    )


def _variant(side: _Side) -> Variant:
    runs = tuple(
        RunResult(str(path), number, _metrics(side.measured[number]))
        for number, path in enumerate(side.files, start=1)
    )
    metrics = [run.metrics for run in runs]
    return Variant(
        name=side.name,
        attention=UNKNOWN,
        runs=runs,
        mean=mean_metrics(metrics),
        sd=sd_metrics(metrics),
        difference=None,
        parameters=None,
        gflops=None,
        gflops_training=None,
        role="baseline",
    )


def _metrics(measured: Measured) -> Metrics:
    points = {key: measured.metrics[key] for key in METRICS}
    return {key: fraction(value) if np.isfinite(value) else None for key, value in points.items()}


def _notes(sides: Sequence[_Side]) -> list[str]:
    counts = {side.name: len(side.files) for side in sides}
    notes = []
    if max(counts.values()) > 1:
        notes.append(
            "The files are paired in the order in which they were given, the first of each side "
            "with the first of the others; their number stands where a seed would."
        )
    if len(set(counts.values())) > 1:
        listed = ", ".join(f"{name} {count}" for name, count in counts.items())
        notes.append(f"The sides have different numbers of files ({listed}): judged are the pairs.")
    if min(counts.values()) == 1:
        notes.append(
            "One file a side measures a checkpoint and not what was changed: another training may "
            "turn the difference around. Give the detections of more trainings of each side."
        )
    return notes

"""External detections, judged: COCO results and their truth are all that is needed."""

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from yolox_attn.coco.annotations import read_truth
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import (
    Comparison,
    RunResult,
    Variant,
    averaged,
    with_differences,
)
from yolox_attn.report.judge_runs import JudgingRequest, Progress, metrics_of, with_verdicts
from yolox_attn.report.notes import far_run_notes, unknown_category_notes
from yolox_attn.runs import file_hash
from yolox_attn.stats.measured import Measured, draw_resamples, measure_file, refuse_replicas
from yolox_attn.stats.weighted_ap import best_engine

Files = Sequence[Path]
UNKNOWN = "unknown"  # attention of a network that no run describes


def compare_detections(
    truth: Path,
    sides: Mapping[str, Files],
    baseline: str | None,
    request: JudgingRequest,
    progress: Progress | None = None,
) -> Comparison:
    """Judge detections that no run of ours left: the k-th file of a side pairs with the k-th.

    Args:
        truth: COCO annotations of the test images.
        sides: variant -> its COCO results, one file a training.
        baseline: the side to subtract; None: the first.
        request: how to judge; its `truth` is not used.
        progress: called with a line before each file.

    Raises:
        InputError: fewer than two sides, a side without a file, no such baseline, one file twice,
            or a file that cannot be read or does not fit the truth.
    """
    _refuse_unusable(sides, baseline)
    first = baseline or next(iter(sides))
    sides = {first: sides[first], **sides}
    resamples = draw_resamples(read_truth(truth), request.terms, request.groups)
    total, done = sum(map(len, sides.values())), 0
    engine = best_engine().name
    measured: dict[str, dict[int, Measured]] = {name: {} for name in sides}
    variants = []
    for name, files in sides.items():
        runs = []
        for number, path in enumerate(files, start=1):
            done += 1
            if progress:
                progress(f"judging {done} of {total}: {name}, {path} ({engine})")
            measured[name][number] = measure_file(path, resamples)
            runs.append(_run(path, number, measured[name][number]))
        role = "baseline" if name == first else "variant"
        variants.append(Variant(name, UNKNOWN, role=role, **averaged(runs)))
    silent = refuse_replicas(measured)
    comparison = Comparison(
        baseline=first,
        variants=with_differences(variants),
        test_size=None,
        val_images=len(resamples.truth.images),
        notes=(
            *_notes(sides),
            *silent,
            *unknown_category_notes(measured),
            *far_run_notes(measured),
        ),
        data={
            "truth": str(truth),
            "truth_sha256": file_hash(truth),
            "classes": len(resamples.truth.class_names),
        },
    )
    return with_verdicts(comparison, measured, resamples, request.terms)


def _refuse_unusable(sides: Mapping[str, Files], baseline: str | None) -> None:
    if len(sides) < 2:
        raise InputError("a comparison needs the detections of two sides at least, as A=a.json")
    for name, files in sides.items():
        if not files:
            raise InputError(f"{name}: no file of detections")
    if baseline is not None and baseline not in sides:
        raise InputError(f"--baseline {baseline}: no such side; here: {', '.join(sides)}")
    seen = set()
    for path in chain.from_iterable(sides.values()):
        if path.resolve() in seen:
            raise InputError(f"{path} is given twice: every training has detections of its own")
        seen.add(path.resolve())
    for files in sides.values():
        _refuse_copies(files)


def _refuse_copies(files: Files) -> None:
    """Refuse one side's file under two names: it would pass for a second training."""
    seen: dict[str, Path] = {}
    for path in files:
        if not path.is_file():
            raise InputError(f"{path}: no such file")
        if other := seen.get(content := file_hash(path)):
            raise InputError(f"{other} and {path} are copies of one file, not two trainings")
        seen[content] = path


def _run(path: Path, number: int, measured: Measured) -> RunResult:
    return RunResult(str(path), number, metrics_of(measured))


def _notes(sides: Mapping[str, Files]) -> list[str]:
    counts = {name: len(files) for name, files in sides.items()}
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

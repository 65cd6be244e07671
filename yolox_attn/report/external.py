"""External detections, judged: COCO results and their truth are all that is needed."""

import re
from collections.abc import Iterable, Mapping, Sequence
from glob import glob
from itertools import chain
from pathlib import Path

from yolox_attn.coco.annotations import read_truth
from yolox_attn.errors import InputError
from yolox_attn.machine import expanded
from yolox_attn.report.comparison import (
    Comparison,
    RunResult,
    Variant,
    averaged,
    with_differences,
)
from yolox_attn.report.judge_runs import JudgingRequest, Progress, metrics_of, with_verdicts
from yolox_attn.report.notes import outlier_notes, unknown_category_notes
from yolox_attn.runs import file_hash
from yolox_attn.stats.measured import (
    Measured,
    Resamples,
    draw_resamples,
    refuse_replicas,
)
from yolox_attn.stats.measured_cache import measure_once
from yolox_attn.stats.weighted_ap import best_engine

Files = Sequence[Path] | Mapping[int, Path]
SEED = re.compile(r"seed[\W_]*(\d+)", re.IGNORECASE)
UNKNOWN = "unknown"  # attention of a network that no run describes


def compare_detections(
    truth: Path,
    sides: Mapping[str, Files],
    baseline: str | None,
    request: JudgingRequest,
    progress: Progress | None = None,
) -> Comparison:
    """Judge detections that no run of ours left.

    Args:
        truth: COCO annotations of the test images.
        sides: variant -> its COCO results, one file a training: a list, of which the k-th pairs
            with the k-th of the others, or seed -> file, where equal seeds are pairs.
        baseline: the side to subtract; None: the first.
        request: how to judge; its `truth` is not used.
        progress: called with a line before each file.

    Raises:
        InputError: fewer than two sides, a side without a file, no such baseline, one file twice,
            or a file that cannot be read or does not fit the truth.
    """
    by_seed = _by_seed(sides)
    _refuse_unusable(by_seed, baseline)
    first = baseline or next(iter(by_seed))
    by_seed = {first: by_seed[first], **by_seed}
    resamples = draw_resamples(read_truth(truth), request.terms, request.groups)
    measured = _measure_sides(by_seed, resamples, progress)
    variants = [
        Variant(
            name,
            UNKNOWN,
            role="baseline" if name == first else "variant",
            **averaged([_run(path, seed, measured[name][seed]) for seed, path in files.items()]),
        )
        for name, files in by_seed.items()
    ]
    silent = refuse_replicas(measured)
    comparison = Comparison(
        baseline=first,
        variants=with_differences(variants),
        test_size=None,
        val_images=len(resamples.truth.images),
        notes=(
            *_notes(by_seed, ordered=not any(isinstance(each, Mapping) for each in sides.values())),
            *silent,
            *unknown_category_notes(measured),
            *outlier_notes(measured),
        ),
        data={
            "truth": str(truth),
            "truth_sha256": file_hash(truth),
            "classes": len(resamples.truth.class_names),
        },
    )
    return with_verdicts(comparison, measured, resamples, request.terms)


def _measure_sides(
    sides: Mapping[str, Mapping[int, Path]], resamples: Resamples, progress: Progress | None
) -> dict[str, dict[int, Measured]]:
    """Return name -> seed -> what each file's detections are worth."""
    total, engine = sum(map(len, sides.values())), best_engine().name
    measured: dict[str, dict[int, Measured]] = {name: {} for name in sides}
    for done, (name, seed) in enumerate(
        ((name, seed) for name, files in sides.items() for seed in files), start=1
    ):
        path = sides[name][seed]
        if progress:
            progress(f"judging {done} of {total}: {name}, {path} ({engine})")
        measured[name][seed] = measure_once(path, resamples)
    return measured


def files_by_seed(pattern: str) -> dict[int, Path]:
    """Return seed -> file of a folder's json files, or of a pattern such as `dir/*/pred*.json`.

    The seed is the number behind the word "seed" in the file's name or in its three folders', the
    last one if there are several; without that word the last number in the file's name, else in
    its folder's.

    Raises:
        InputError: no such file, one without a number, or two with the same.
    """
    path = expanded(pattern)
    found = path.glob("*.json") if path.is_dir() else map(Path, glob(str(path), recursive=True))  # noqa: PTH207 - Path.glob takes no whole path
    seeds: dict[int, Path] = {}
    for file in sorted(found):
        if (seed := _seed_of(file)) is None:
            raise InputError(f"{file}: no seed in its name; a name such as seed3.json says it")
        if other := seeds.get(seed):
            raise InputError(f"{other} and {file} both say seed {seed}; put the seed behind 'seed'")
        seeds[seed] = file
    if not seeds:
        raise InputError(f"{pattern}: no json file there")
    return seeds


def _seed_of(file: Path) -> int | None:
    parts = file.with_suffix("").parts
    if named := SEED.findall("/".join(parts[-4:])):
        return int(named[-1])
    for part in parts[:-3:-1]:
        if numbers := re.findall(r"\d+", part):
            return int(numbers[-1])
    return None


def _by_seed(sides: Mapping[str, Files]) -> dict[str, Mapping[int, Path]]:
    """Return name -> seed -> file; the place in a list stands where a seed would.

    Raises:
        InputError: some sides say their seeds and others do not.
    """
    if len({isinstance(each, Mapping) for each in sides.values()}) > 1:
        raise InputError(
            "some sides are patterns, whose names say the seeds, and some are files: give all of "
            "them as patterns (A='dir/*.json'), or all as files"
        )
    return {
        name: files if isinstance(files, Mapping) else dict(enumerate(files, start=1))
        for name, files in sides.items()
    }


def _refuse_unusable(sides: Mapping[str, Mapping[int, Path]], baseline: str | None) -> None:
    if len(sides) < 2:
        raise InputError("a comparison needs the detections of two sides at least, as A=a.json")
    for name, files in sides.items():
        if not files:
            raise InputError(f"{name}: no file of detections")
    if baseline is not None and baseline not in sides:
        raise InputError(f"--baseline {baseline}: no such side; here: {', '.join(sides)}")
    seen = set()
    for path in chain.from_iterable(files.values() for files in sides.values()):
        if path.resolve() in seen:
            raise InputError(f"{path} is given twice: every training has detections of its own")
        seen.add(path.resolve())
    for files in sides.values():
        _refuse_copies(files.values())


def _refuse_copies(files: Iterable[Path]) -> None:
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


def _notes(sides: Mapping[str, Mapping[int, Path]], *, ordered: bool) -> list[str]:
    counts = {name: len(files) for name, files in sides.items()}
    notes = []
    if not ordered:
        notes.append("The files are paired by the seeds that their names say.")
    elif max(counts.values()) > 1:
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

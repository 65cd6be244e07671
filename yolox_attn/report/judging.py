"""Run folders judged: their detections against the truth that gave their AP."""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.errors import InputError
from yolox_attn.report.collect import Run
from yolox_attn.report.means import without
from yolox_attn.report.model import Comparison, Dropped
from yolox_attn.report.noise import seed_noise
from yolox_attn.report.protocol import JUDGED_CHECKPOINT
from yolox_attn.report.resamples import Resamples, draw_resamples, measure_file
from yolox_attn.report.truths import find_truth, named_truth
from yolox_attn.report.verdicts import noted, strangers, with_verdicts
from yolox_attn.stats.engines import best_engine
from yolox_attn.stats.judgement import Terms
from yolox_attn.stats.measured import Measured
from yolox_attn.stats.truth import read_truth

ROUNDING = 1e-6  # of an AP as a fraction: more is another file
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Request:
    """How a comparison is to be judged.

    Args:
        terms: smallest effect worth having, alpha, resamples.
        truth: the annotations that judge; None: those that the runs name.
        groups: key of the truth's image entries, or a path that ends in .csv, of images that
            belong together.
        planned: variants that were to be compared: they count in Holm's family without a run too.
    """

    terms: Terms = field(default_factory=Terms)
    truth: Path | None = None
    groups: str | None = None
    planned: tuple[str, ...] = ()


def judge_runs(
    comparison: Comparison,
    runs: Sequence[Run],
    request: Request,
    progress: Progress | None = None,
) -> Comparison:
    """Return `comparison` with a verdict on each variant; without, and a note, where none can be.

    A run whose detections are missing or are not those behind its AP leaves the verdict together
    with its pair, and is named. Of a baseline alone only the noise of its seeds is told.

    Args:
        comparison: by `compare` of these runs.
        runs: those of the comparison.
        request: how to judge.
        progress: called with a line before each run.

    Raises:
        InputError: the truth is not the file that judged the runs, or cannot be read or grouped.
    """
    if not any(run.detections.is_file() for run in runs):
        return noted(comparison, "No verdict: no run has kept its detections (detections.json).")
    path = find_truth(runs, request.truth)
    if path is None:
        place = named_truth(runs[0]) or "the file with the test images' annotations"
        return noted(comparison, f"No verdict: {place} is not there; --truth FILE gives it.")
    drawn = draw_resamples(read_truth(path), request.terms, request.groups)
    comparison = replace(
        comparison,
        val_images=len(drawn.truth.images),
        data={**comparison.data, "truth": str(path), "truth_sha256": file_hash(path)},
    )
    measured, dropped = measure_runs(_paired(comparison, runs), drawn, progress or _silent)
    comparison = noted(without(comparison, dropped), *strangers(measured))
    if len(comparison.variants) > 1:
        terms, planned = request.terms, request.planned
        return with_verdicts(comparison, measured, drawn, terms, planned)
    noise = seed_noise(measured.get(comparison.baseline, {}), drawn.test_set, request.terms)
    return replace(comparison, terms=request.terms, groups=drawn.groups, seed_noise=noise)


def measure_runs(
    runs: Sequence[Run], drawn: Resamples, progress: Progress
) -> tuple[dict[str, dict[int, Measured]], list[Dropped]]:
    """Return variant -> seed -> AP on the images and on every resample, and who has none."""
    measured: dict[str, dict[int, Measured]] = defaultdict(dict)
    dropped = []
    engine = best_engine().name
    for number, run in enumerate(runs, start=1):
        progress(f"judging {number} of {len(runs)}: {run.title} ({engine})")
        try:
            measured[run.name][_seed(run)] = _measured(run, drawn)
        except InputError as error:
            dropped.append(Dropped(run.name, run.record.seed, str(error)))
    return dict(measured), dropped


def _paired(comparison: Comparison, runs: Sequence[Run]) -> list[Run]:
    """Return the runs that are measured, in the comparison's order.

    All of the baseline, which show its noise; of the others those that have a partner there.
    """
    seeds: Mapping[str, set[int]] = {
        each.name: {run.seed for run in each.runs if run.seed is not None}
        for each in comparison.variants
    }
    base = comparison.baseline
    order = list(seeds)
    chosen = [run for run in runs if run.record.seed in seeds[base]]
    return sorted(chosen, key=lambda run: (order.index(run.name), run.record.seed))


def _measured(run: Run, drawn: Resamples) -> Measured:
    """Take the AP of the run's detections.

    Raises:
        InputError: they are missing, or not those of the checkpoint that its figures are of.
    """
    _refuse_another_checkpoint(run)
    if not run.detections.is_file():
        raise InputError(f"{run.detections} is missing")
    found = measure_file(run.detections, drawn)
    ap, told = found.figures["AP"] / 100, run.figures.get("AP")
    if told is None or not math.isclose(ap, told, rel_tol=0, abs_tol=ROUNDING):
        source = "run.json" if run.evaluation is None else "figures.json"
        raise InputError(
            f"{run.detections} gives AP {ap:.6f}, {source} says {_told(told)}: not of this "
            "checkpoint, or not judged by this truth"
        )
    return found


def _refuse_another_checkpoint(run: Run) -> None:
    """Refuse an evaluation from before the run went on."""
    checkpoint = run.folder / JUDGED_CHECKPOINT
    if run.evaluation is None or not checkpoint.is_file():
        return
    if file_hash(checkpoint) != run.evaluated["checkpoint"]["sha256"]:
        raise InputError(f"{run.evaluation} is not an evaluation of {checkpoint} as it is now")


def _told(ap: float | None) -> str:
    return "none" if ap is None else f"{ap:.6f}"


def _seed(run: Run) -> int:
    seed = run.record.seed
    if seed is None:  # cannot be paired, and is never measured
        raise InputError(f"{run.folder}: the run has no seed")
    return seed


def _silent(_: str) -> None:
    return

"""Runs judged: detections measured on the truth, then verdicts, noise, and what is missing."""

import math
import statistics
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from yolox_attn.coco.annotations import ANNOTATIONS, read_truth
from yolox_attn.coco.evaluate import Metrics
from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.core.checkpoint import LATEST_NAME
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import (
    Comparison,
    Dropped,
    SeedNoise,
    Variant,
    averaged,
    difference,
    with_differences,
    without,
)
from yolox_attn.report.load_runs import Run
from yolox_attn.report.notes import outlier_notes, unknown_category_notes
from yolox_attn.report.sentences import settling_sentence, verdict_sentence
from yolox_attn.runs import RECORD_NAME, file_hash
from yolox_attn.stats.jackknife import image_noise
from yolox_attn.stats.judge import fraction, judge
from yolox_attn.stats.measured import (
    Measured,
    Resamples,
    Side,
    TestSet,
    draw_resamples,
    refuse_replicas,
    require_defined,
)
from yolox_attn.stats.measured_cache import measure_once
from yolox_attn.stats.noise import baseline_noise, sd_interval
from yolox_attn.stats.power import detectable_effect, seeds_needed
from yolox_attn.stats.terms import Terms
from yolox_attn.stats.verdict import PRIMARY, Judgement
from yolox_attn.stats.weighted_ap import AP_METRICS, best_engine

ROUNDING = 1e-6  # of an AP as a fraction: more is another file
Progress = Callable[[str], None]


@dataclass(frozen=True)
class JudgingRequest:
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
    request: JudgingRequest,
    progress: Progress | None = None,
) -> Comparison:
    """Return `comparison` with a verdict on each variant, or with a note where there can be none.

    A run whose detections are missing or are not those behind its AP is left out together with its
    pair, and is named. Of a baseline alone only the noise of its seeds is measured.

    Args:
        comparison: by `build_comparison` of these runs.
        runs: those of the comparison.
        request: how to judge.
        progress: called with a line before each run.

    Raises:
        InputError: the truth is not the file that judged the runs, or cannot be read or grouped; or
            two seeds have the same detections.
    """
    if not any(run.detections.is_file() for run in runs):
        return comparison.noted("No verdict: no run has kept its detections (detections.json).")
    path = find_truth(runs, request.truth)
    if path is None:
        place = named_truth(runs[0]) or "the file with the test images' annotations"
        return comparison.noted(f"No verdict: {place} is not there; --truth FILE gives it.")
    resamples = draw_resamples(read_truth(path), request.terms, request.groups)
    comparison = replace(
        comparison,
        val_images=len(resamples.truth.images),
        data={**comparison.data, "truth": str(path), "truth_sha256": file_hash(path)},
    )
    measured, dropped = _measure_runs(_runs_to_measure(comparison, runs), resamples, progress)
    silent = refuse_replicas(measured)
    comparison, differing = _with_measured(comparison, measured)
    comparison = without(comparison, dropped).noted(
        *differing, *silent, *unknown_category_notes(measured), *outlier_notes(measured)
    )
    if not comparison.alone:
        return with_verdicts(comparison, measured, resamples, request.terms, request.planned)
    noise = seed_noise(measured.get(comparison.baseline, {}), resamples.test_set, request.terms)
    return replace(comparison, terms=request.terms, groups=resamples.groups, seed_noise=noise)


def with_verdicts(
    comparison: Comparison,
    measured: Mapping[str, Mapping[int, Measured]],
    resamples: Resamples,
    terms: Terms,
    planned: Sequence[str] = (),
) -> Comparison:
    """Judge every variant by the runs that were measured.

    Where nothing can be judged the comparison comes back with a note that says why.

    Args:
        comparison: its variants without judgements, the baseline first.
        measured: variant -> seed -> the run's AP on the images and on the resamples.
        resamples: those of the images.
        terms: of the study.
        planned: variants that count in Holm's family whether they have a run or not.
    """
    baseline, *sides = [
        Side(each.name, measured.get(each.name, {}), each.role == "control")
        for each in comparison.variants
    ]
    present = {each.name for each in comparison.variants}
    sides += [Side(name, {}) for name in planned if name not in present]
    try:
        judged = judge(baseline, sides, resamples.test_set, terms)
    except InputError as error:
        return comparison.noted(f"No verdict: {error}.")
    if not any(judged.values()):
        return comparison.noted("No verdict: no variant has a run left to pair with the baseline.")
    base = comparison.variants[0]
    variants = (
        _judged(each, base, judgement, terms) if (judgement := judged.get(each.name)) else each
        for each in comparison.variants
    )
    unpaired = (
        f"{name}: no verdict, none of its runs has a partner among those of {base.name}."
        for name, judgement in judged.items()
        if judgement is None
    )
    return replace(
        comparison.noted(*unpaired),
        variants=tuple(variants),
        terms=terms,
        family=tuple(side.name for side in sides if not side.control),
        groups=resamples.groups,
        seed_noise=seed_noise(baseline.runs, resamples.test_set, terms),
    )


def find_truth(runs: Sequence[Run], wanted: Path | None) -> Path | None:
    """Return the truth file: `wanted`, else the one that the first run names; None if it is gone.

    Raises:
        InputError: `wanted` is no file, or the file is not the one that judged the runs.
    """
    path = wanted or named_truth(runs[0])
    if path is None or not path.is_file():
        if wanted is not None:
            raise InputError(f"--truth {wanted}: no such file")
        return None
    known = _known_hash(runs[0])
    if known is not None and (now := file_hash(path)) != known:
        raise InputError(
            f"{path} is not the truth that judged the runs: its sha256 is {now[:12]}, theirs "
            f"{known[:12]}; name that file by --truth, or leave the verdict out by --no-verdict"
        )
    return path


def named_truth(run: Run) -> Path | None:
    """Return where the run, or its other evaluation, says that its truth is."""
    evaluated, data = run.evaluated, run.record.data
    folder = evaluated.get("data_dir") if evaluated else data.get("dir")
    name = evaluated.get("annotations") if evaluated else data.get("val_ann")
    return Path(folder) / ANNOTATIONS / name if folder and name else None


def seed_noise(runs: Mapping[int, Measured], test: TestSet, terms: Terms) -> SeedNoise | None:
    """Return the baseline's noise and what a study of as many seeds on these images could see.

    Args:
        runs: the baseline's, by seed; None comes back for fewer than two.
        test: the images that they were measured on.
        terms: of the study; one variant is planned for, without Holm's adjustment.

    Raises:
        InputError: the AP of a run is undefined, on the images or on a resample.
    """
    if len(runs) < 2:
        return None
    require_defined(Side("the baseline", runs), list(runs), PRIMARY)
    points = [run.metrics[PRIMARY] for run in runs.values()]
    of_images = image_noise(np.stack([run.left_out[PRIMARY] for run in runs.values()], axis=1))
    noise = baseline_noise(points, of_images, test.images, test.effective)
    sd = statistics.stdev(points)
    lower, upper = sd_interval(sd, len(points))
    detectable = detectable_effect(noise, seeds=len(points), images=test.images, alpha=terms.alpha)
    return SeedNoise(
        runs=len(points),
        sd=fraction(sd),
        interval=(fraction(lower), fraction(upper)),
        seeds=len(points),
        images=test.images,
        detectable=fraction(detectable),
        needed=seeds_needed(terms.sesoi, noise, images=test.images, alpha=terms.alpha),
    )


def _known_hash(run: Run) -> str | None:
    """Return the truth's sha256 where the run kept it: of the split that it validated on."""
    if run.evaluated and run.evaluated["split"] != "val":
        return None
    known = run.record.data.get("val_sha256")
    return None if known is None else str(known)


def _runs_to_measure(comparison: Comparison, runs: Sequence[Run]) -> list[tuple[Run, int]]:
    """Return the runs that are measured and their seeds, in the comparison's order.

    All of the baseline, which show its noise; of the others those that have a partner there.
    """
    order = [each.name for each in comparison.variants]
    seeds = {run.seed for run in comparison.variants[0].runs}
    chosen = [
        (run, seed) for run in runs if (seed := run.record.seed) is not None and seed in seeds
    ]
    return sorted(chosen, key=lambda pair: (order.index(pair[0].name), pair[1]))


def _measure_runs(
    runs: Sequence[tuple[Run, int]], resamples: Resamples, progress: Progress | None
) -> tuple[dict[str, dict[int, Measured]], list[Dropped]]:
    """Return variant -> seed -> AP on the images and on every resample, and the runs without."""
    measured: dict[str, dict[int, Measured]] = defaultdict(dict)
    dropped = []
    engine = best_engine().name
    for number, (run, seed) in enumerate(runs, start=1):
        if progress:
            progress(f"[{number}/{len(runs)}] judging {run.title} ({engine})")
        try:
            measured[run.name][seed] = _measure_run(run, resamples)
        except InputError as error:
            dropped.append(Dropped(run.name, seed, str(error)))
    return dict(measured), dropped


def _measure_run(run: Run, resamples: Resamples) -> Measured:
    """Take the AP of the run's detections.

    Raises:
        InputError: they are missing, or not those of the checkpoint that its metrics are of.
    """
    checkpoint = run.folder / LATEST_NAME
    if run.evaluation and checkpoint.is_file():
        evaluated = run.evaluated["checkpoint"]["sha256"]
        if evaluated != file_hash(checkpoint):  # the run went on since
            raise InputError(f"{run.evaluation} is not an evaluation of {checkpoint} as it is now")
    if not run.detections.is_file():
        raise InputError(f"{run.detections} is missing")
    measured = measure_once(run.detections, resamples)
    ap, recorded = fraction(measured.metrics[PRIMARY]), run.metrics.get(PRIMARY)
    if recorded is None or not math.isclose(ap, recorded, rel_tol=0, abs_tol=ROUNDING):
        source = RECORD_NAME if run.evaluation is None else EVALUATION_NAME
        says = "none" if recorded is None else f"{recorded:.6f}"
        raise InputError(
            f"{run.detections} gives AP {ap:.6f}, {source} says {says}: not of this "
            "checkpoint, or not judged by this truth"
        )
    return measured


def _with_measured(
    comparison: Comparison, measured: Mapping[str, Mapping[int, Measured]]
) -> tuple[Comparison, list[str]]:
    """Take every metric of a measured run from its detections; say where its record has another."""
    variants, notes = [], []
    for variant in comparison.variants:
        found = measured.get(variant.name, {})
        runs = []
        for run in variant.runs:
            if run.seed is None or run.seed not in found:
                runs.append(run)
                continue
            other = {
                key: value
                for key, value in metrics_of(found[run.seed]).items()
                if not _same(run.metrics[key], value)
            }
            notes += [
                f"{variant.name} seed {run.seed}: its record has {key} {_said(run.metrics[key])}, "
                f"its detections give {_said(value)}, which counts."
                for key, value in other.items()
            ]
            runs.append(replace(run, metrics={**run.metrics, **other}))
        variants.append(replace(variant, **averaged(runs)))
    return replace(comparison, variants=with_differences(variants)), notes


def metrics_of(measured: Measured) -> Metrics:
    """Return the metrics as fractions, None where there is no such object."""
    points = {key: measured.metrics[key] for key in AP_METRICS if key in measured.metrics}
    return {key: fraction(ap) if math.isfinite(ap) else None for key, ap in points.items()}


def _same(recorded: float | None, found: float | None) -> bool:
    if recorded is None or found is None:
        return recorded is found
    return math.isclose(recorded, found, rel_tol=0, abs_tol=ROUNDING)


def _said(metric: float | None) -> str:
    return "none" if metric is None else f"{100 * metric:.2f}"


def _judged(variant: Variant, baseline: Variant, judgement: Judgement, terms: Terms) -> Variant:
    """Add the judgement and its words; the difference shown is over the same seeds."""
    return replace(
        variant,
        judgement=judgement,
        sentence=verdict_sentence(variant.name, judgement, terms),
        settling=settling_sentence(judgement, terms),
        difference=difference(variant.runs, baseline.runs, judgement.seeds),
    )

"""Runs in, Comparison out: means over seeds, and differences to the baseline seed by seed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from yolox_attn.blocks import CONTROLS
from yolox_attn.errors import InputError
from yolox_attn.report.collect import Run, by_variant, describe_attention
from yolox_attn.report.means import difference, mean_figures, sd_figures
from yolox_attn.report.model import (
    FIGURES,
    Built,
    Comparison,
    Difference,
    Dropped,
    Figures,
    PlanSummary,
    RunResult,
    SeedNoise,
    Variant,
)
from yolox_attn.report.notes import make_notes
from yolox_attn.report.protocol import require_same_protocol
from yolox_attn.report.provenance import (
    shared_data,
    shared_hardware,
    shared_software,
    training_commands,
)
from yolox_attn.runs import RunRecord, read_metrics

__all__ = [
    "FIGURES",
    "Built",
    "Comparison",
    "Difference",
    "Dropped",
    "Figures",
    "PlanSummary",
    "RunResult",
    "SeedNoise",
    "Variant",
    "compare",
]


def compare(runs: Sequence[Run], *, baseline: str | None = None, alone: bool = False) -> Comparison:
    """Compare the variants among `runs`, of which `baseline` (None: the one without attention).

    With `alone` the baseline may stand for itself: its runs show the noise of seeds.

    Raises:
        InputError: no such baseline, none or two without attention, nothing to compare it with,
            or runs that differ in more than attention and seed.
    """
    variants = by_variant(runs)
    name = _choose_baseline(variants, baseline)
    if len(variants) < 2 and not alone:
        raise InputError(f"only {name} is here; a comparison needs the runs of another variant")
    variants = {name: variants.pop(name), **variants}
    ordered = [run for members in variants.values() for run in members]
    require_same_protocol(ordered)
    first = ordered[0]
    height, width = first.test_size
    base = _variant(variants[name], "baseline")
    others = [_beside(_variant(members), base) for members in list(variants.values())[1:]]
    return Comparison(
        baseline=name,
        variants=(base, *others),
        test_size=(height, width),
        # How many images another evaluation had is known once its truth is read.
        val_images=first.record.data.get("val_images") if first.evaluation is None else None,
        notes=make_notes(variants),
        data=shared_data(ordered),
        software=shared_software(ordered),
        hardware=shared_hardware(ordered),
        commands=training_commands(ordered),
    )


def role_of(record: RunRecord) -> str:
    """Return "control" if all that was placed are controls, else "variant"."""
    placed = {each["block"] for each in record.attention.values()} - {"none"}
    return "control" if placed and placed <= CONTROLS.keys() else "variant"


def _choose_baseline(variants: Mapping[str, Sequence[Run]], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in variants:
            raise InputError(f"--baseline {wanted}: no such variant; here: {', '.join(variants)}")
        return wanted
    plain = [
        name for name, runs in variants.items() if describe_attention(runs[0].record) == "none"
    ]
    if len(plain) != 1:
        found = f"{' and '.join(plain)} are" if plain else f"none of {', '.join(variants)} is"
        raise InputError(f"{found} without attention; say --baseline NAME")
    return plain[0]


def _variant(runs: Sequence[Run], role: str | None = None) -> Variant:
    record = runs[0].record
    results = tuple(_result(run) for run in runs)
    figures = [result.figures for result in results]
    return Variant(
        name=record.name,
        attention=describe_attention(record),
        runs=results,
        mean=mean_figures(figures),
        sd=sd_figures(figures),
        difference=None,
        parameters=record.parameters,
        gflops=record.gflops,
        gflops_training=record.gflops_training,
        role=role or role_of(record),
        built=_built(record),
        trainable=record.trainable_parameters,
        optimised=record.optimised_parameters,
    )


def _beside(variant: Variant, baseline: Variant) -> Variant:
    return replace(variant, difference=difference(variant.runs, baseline.runs))


def _result(run: Run) -> RunResult:
    rows = [(row["epoch"], row.get("AP")) for row in read_metrics(run.folder)]
    return RunResult(
        folder=str(run.folder),
        seed=run.record.seed,
        figures={key: run.figures.get(key) for key in FIGURES},
        curve=tuple((epoch, ap) for epoch, ap in rows if ap is not None),
        seconds=run.record.seconds or None,
        peak_memory=run.record.peak_memory,
    )


def _built(record: RunRecord) -> tuple[Built, ...]:
    return tuple(
        Built(
            level=level,
            block=each["block"],
            options=dict(each.get("options") or {}),
            parameters=sum(math.prod(shape) for shape in each.get("parameters", {}).values()),
        )
        for level, each in record.attention.items()
        if each["block"] != "none"
    )

"""Runs in, Comparison out: means over seeds, differences seed by seed, and where all comes from."""

import math
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

from yolox_attn.blocks import CONTROLS
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import (
    Built,
    Comparison,
    RunResult,
    Variant,
    difference,
    mean_metrics,
    sd_metrics,
)
from yolox_attn.report.load_runs import Run, attention_in_words, by_variant
from yolox_attn.report.notes import make_notes
from yolox_attn.runs import RunRecord, read_metrics
from yolox_attn.runs.protocol import comparable
from yolox_attn.stats.weighted_ap import METRICS

JUDGED_CHECKPOINT = "latest_ckpt.pth"
EVALUATION = {  # key of evaluation.json -> its name in a refusal
    "split": "split",
    "annotations": "evaluated annotations",
    "test_size": "evaluated size",
    "confidence": "confidence",
    "nms": "nms",
    "precision": "evaluation precision",
    "fused": "fused",
    "legacy": "legacy",
}
HARDWARE: dict[str, Callable[[RunRecord], object]] = {
    "device": lambda record: record.device,
    "cpu": lambda record: record.cpu,
    "threads": lambda record: record.threads,
    "processes": lambda record: record.processes,
    "precision": lambda record: record.precision,
    "memory format": lambda record: record.memory_format,
}
CHECKPOINT_FLAGS = ("-c", "--ckpt")


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


def require_same_protocol(runs: Sequence[Run]) -> None:
    """Refuse runs that cannot be compared with the first.

    Raises:
        InputError: two runs differ in detector, data, schedule or evaluation; the message names
            both and every setting that differs with both its values. Or an evaluation is not of
            the last checkpoint, or one checkpoint's for two runs.
    """
    _refuse_other_checkpoints(runs)
    first = runs[0]
    for run in runs[1:]:
        evaluations = _evaluation(first), _evaluation(run)
        if differing := comparable(first.record, run.record, evaluations):
            raise InputError(f"{first.folder} and {run.folder} cannot be compared: {differing}")


def _refuse_other_checkpoints(runs: Sequence[Run]) -> None:
    """Judged is what the whole schedule gave: the best epoch is chosen by chance."""
    seen: dict[str, Run] = {}
    for run in runs:
        if run.evaluation is None:
            continue
        checkpoint = run.evaluated["checkpoint"]
        if (name := PurePath(checkpoint["file"]).name) != JUDGED_CHECKPOINT:
            raise InputError(
                f"{run.evaluation}: an evaluation of {name}; judged is the last checkpoint, "
                f"{JUDGED_CHECKPOINT}, of every run"
            )
        if other := seen.get(checkpoint["sha256"]):
            raise InputError(
                f"{other.evaluation} and {run.evaluation} are evaluations of one checkpoint"
            )
        seen[checkpoint["sha256"]] = run


def _evaluation(run: Run) -> dict[str, Any]:
    """Return what must be equal in all evaluations; nothing where the run has no other one."""
    return {name: run.evaluated[key] for key, name in EVALUATION.items() if key in run.evaluated}


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
        name for name, runs in variants.items() if attention_in_words(runs[0].record) == "none"
    ]
    if len(plain) != 1:
        found = f"{' and '.join(plain)} are" if plain else f"none of {', '.join(variants)} is"
        raise InputError(f"{found} without attention; say --baseline NAME")
    return plain[0]


def _variant(runs: Sequence[Run], role: str | None = None) -> Variant:
    record = runs[0].record
    results = tuple(_result(run) for run in runs)
    metrics = [result.metrics for result in results]
    return Variant(
        name=record.name,
        attention=attention_in_words(record),
        runs=results,
        mean=mean_metrics(metrics),
        sd=sd_metrics(metrics),
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
        metrics={key: run.metrics.get(key) for key in METRICS},
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


def shared_data(runs: Sequence[Run]) -> dict[str, object]:
    """Return what is known of the data and the same in all runs; of an evaluation its split too."""
    data = _shared([run.record.data for run in runs])
    evaluations = [run.evaluated for run in runs if run.evaluation is not None]
    if len(evaluations) == len(runs):
        shared = _shared(evaluations)
        data |= {key: shared[key] for key in ("split", "annotations") if key in shared}
    return data


def shared_software(runs: Sequence[Run]) -> dict[str, str]:
    """Return the versions that all runs share; what differs stands in the notes."""
    shared = _shared([run.record.versions for run in runs])
    return {name: str(version) for name, version in shared.items()}


def shared_hardware(runs: Sequence[Run]) -> dict[str, str]:
    """Return what all runs were trained on, and how."""
    facts = [{name: fact(run.record) for name, fact in HARDWARE.items()} for run in runs]
    return {name: str(value) for name, value in _shared(facts).items()}


def training_commands(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return the command lines that train the runs again, each once."""
    return tuple(dict.fromkeys(training_command(run.record) for run in runs))


def training_command(record: RunRecord) -> str:
    """Return the run's command line, as from the project's folder.

    A run that was continued is trained again from its start: without --resume, and from the
    weights that it once began with.
    """
    words = [*_program(record.command), *_arguments(record)]
    return shlex.join(words)


def _program(command: Sequence[str]) -> list[str]:
    script = PurePath(command[0]) if command else PurePath()
    if script.parts[-2:] == ("tools", "train.py"):
        return ["python", "tools/train.py"]
    if script.parts[-3:] == ("yolox_attn", "cli", "__main__.py"):
        return ["python", "-m", "yolox_attn.cli"]
    if script.stem == "yolox-attn":
        return ["yolox-attn"]
    return list(command[:1])


def _arguments(record: RunRecord) -> list[str]:
    words = record.command[1:]
    if "--resume" not in words:
        return words
    kept, skip = [], False
    for word in words:
        flag = word.split("=")[0]
        if not skip and word != "--resume" and flag not in CHECKPOINT_FLAGS:
            kept.append(word)
        skip = not skip and word in CHECKPOINT_FLAGS
    place = 1 if kept[:1] == ["train"] else 0
    if record.pretrained:
        kept[place:place] = ["-c", str(record.pretrained.get("file"))]
    return kept


def _shared(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entries that all have, known and equal."""
    first, *others = each
    return {
        key: value
        for key, value in first.items()
        if value is not None and all(other.get(key) == value for other in others)
    }

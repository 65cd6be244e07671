"""Runs in, Comparison out: means over seeds, differences seed by seed, and where all comes from."""

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from yolox_attn.blocks import CONTROLS
from yolox_attn.core.checkpoint import LATEST_NAME
from yolox_attn.errors import InputError
from yolox_attn.report.comparison import (
    Built,
    Comparison,
    RunResult,
    Variant,
    averaged,
    in_order,
    with_differences,
)
from yolox_attn.report.load_runs import Run, attention_in_words, by_variant
from yolox_attn.report.notes import make_notes
from yolox_attn.runs import RunRecord, read_metrics
from yolox_attn.runs.protocol import comparable
from yolox_attn.runs.remarks import curve_of
from yolox_attn.stats.weighted_ap import AP_METRICS

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
HARDWARE = ("device", "cpu", "threads", "processes", "precision", "memory_format")  # of a record
CHECKPOINT_FLAGS = ("-c", "--ckpt")


def build_comparison(
    runs: Sequence[Run], *, baseline: str | None = None, alone: bool = False
) -> Comparison:
    """Return the variants among `runs` next to `baseline` (None: the one without attention).

    With `alone` the baseline may have no variants: its runs show the noise of seeds.

    Raises:
        InputError: no such baseline, none or two without attention, nothing to compare it with,
            or runs that differ in more than attention and seed.
    """
    variants = by_variant(runs)
    name = _choose_baseline(variants, baseline)
    if len(variants) < 2 and not alone:
        raise InputError(f"only {name} is here; a comparison needs the runs of another variant")
    variants = {name: variants.pop(name), **variants}
    ordered = [run for group in variants.values() for run in group]
    require_same_protocol(ordered)
    first = ordered[0]
    return Comparison(
        baseline=name,
        variants=with_differences(in_order(_variant(each, name) for each in variants.values())),
        test_size=first.test_size,
        # How many images another evaluation had is known once its truth is read.
        val_images=first.record.data.get("val_images") if first.evaluation is None else None,
        notes=make_notes(variants),
        data=_shared_data(ordered),
        software=_texts(_shared([run.record.versions for run in ordered])),
        hardware=_texts(_shared([_hardware(run.record) for run in ordered])),
        commands=tuple(dict.fromkeys(training_command(run.record) for run in ordered)),
        epochs=first.record.config.get("max_epoch"),
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


def training_command(record: RunRecord) -> str:
    """Return the run's command line, as from the project's folder.

    A run that was continued is trained again from its start: without --resume, and from the
    weights that it once began with.
    """
    return shlex.join([*_program(record.command), *_arguments(record)])


def _refuse_other_checkpoints(runs: Sequence[Run]) -> None:
    """Judged is what the whole schedule gave: the best epoch is chosen by chance."""
    seen: dict[str, Run] = {}
    for run in runs:
        if run.evaluation is None:
            continue
        checkpoint = run.evaluated["checkpoint"]
        if (name := PurePath(checkpoint["file"]).name) != LATEST_NAME:
            raise InputError(
                f"{run.evaluation}: an evaluation of {name}; judged is the last checkpoint, "
                f"{LATEST_NAME}, of every run"
            )
        if other := seen.get(checkpoint["sha256"]):
            raise InputError(
                f"{other.evaluation} and {run.evaluation} are evaluations of one checkpoint"
            )
        seen[checkpoint["sha256"]] = run


def _evaluation(run: Run) -> dict[str, Any]:
    """Return what must be equal in all evaluations; nothing where the run has no other one."""
    return {name: run.evaluated[key] for key, name in EVALUATION.items() if key in run.evaluated}


def _choose_baseline(variants: Mapping[str, Sequence[Run]], wanted: str | None) -> str:
    if wanted is not None:
        if wanted not in variants:
            raise InputError(f"--baseline {wanted}: no such variant; here: {', '.join(variants)}")
        return wanted
    plain = [
        name for name, runs in variants.items() if attention_in_words(runs[0].record) == "none"
    ]
    if len(plain) != 1:
        fault = f"{' and '.join(plain)} are" if plain else f"none of {', '.join(variants)} is"
        raise InputError(f"{fault} without attention; say --baseline NAME")
    return plain[0]


def _variant(runs: Sequence[Run], baseline: str) -> Variant:
    record = runs[0].record
    return Variant(
        name=record.name,
        attention=attention_in_words(record),
        **averaged([_result(run) for run in runs]),
        parameters=record.parameters,
        gflops=record.gflops,
        gflops_training=record.gflops_training,
        role="baseline" if record.name == baseline else _role(record),
        built=_built(record),
        trainable=record.trainable_parameters,
        optimised=record.optimised_parameters,
    )


def _role(record: RunRecord) -> str:
    """Return "control" if all that was placed are controls, else "variant"."""
    placed = {each["block"] for each in record.attention.values()} - {"none"}
    return "control" if placed and placed <= CONTROLS.keys() else "variant"


def _result(run: Run) -> RunResult:
    return RunResult(
        folder=str(run.folder),
        seed=run.record.seed,
        metrics={key: run.metrics.get(key) for key in AP_METRICS},
        curve=tuple(curve_of(read_metrics(run.folder))),
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


def _shared_data(runs: Sequence[Run]) -> dict[str, object]:
    """Return what is known of the data and the same in all runs, and the split that judges."""
    data = _shared([run.record.data for run in runs]) | {"split": "val"}
    data.pop("class_names", None)  # which the tables of classes show
    if all(run.evaluation for run in runs):
        shared = _shared([run.evaluated for run in runs])
        data |= {key: shared[key] for key in ("split", "annotations") if key in shared}
    return data


def _hardware(record: RunRecord) -> dict[str, object]:
    return {name.replace("_", " "): getattr(record, name) for name in HARDWARE}


def _shared(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entries that all have, known and equal; what differs is in the notes."""
    first, *others = runs
    return {
        key: value
        for key, value in first.items()
        if value is not None and all(other.get(key) == value for other in others)
    }


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}


def _program(command: Sequence[str]) -> list[str]:
    script = PurePath(command[0]) if command else PurePath()
    if script.parts[-2:] == ("tools", "train.py"):
        return ["python", "tools/train.py"]
    if script.parts[-3:] == ("yolox_attn", "cli", "__main__.py"):
        return ["python", "-m", "yolox_attn.cli"]
    return ["yolox-attn"] if script.stem == "yolox-attn" else list(command[:1])


def _arguments(record: RunRecord) -> list[str]:
    words = record.command[1:]
    if "--resume" not in words:
        return words
    kept, remaining = [], iter(words)
    for word in remaining:
        if word in CHECKPOINT_FLAGS:
            next(remaining, None)  # its file
        elif word != "--resume" and word.split("=")[0] not in CHECKPOINT_FLAGS:
            kept.append(word)
    place = 1 if kept[:1] == ["train"] else 0
    if record.pretrained:
        kept[place:place] = ["-c", str(record.pretrained.get("file"))]
    return kept

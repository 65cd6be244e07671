"""Whether two runs differ only in what is under study: attention and seed."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any

from yolox_attn.errors import InputError
from yolox_attn.report.collect import Run
from yolox_attn.runs import COSMETIC, RunRecord, identify_data

# Beside what is cosmetic everywhere: the memory format changes the last bits and is told in a
# note; patience changes nothing unless it ended the run, and such a run is refused by itself.
HARMLESS = {"channels_last", "patience"}

KINDS = {
    "detector": {"depth", "width", "act", "depthwise"},
    "data set": {
        "num_classes", "train_images", "train_name", "train_sha256",
        "val_images", "val_name", "val_sha256", "dir", "train annotations", "val annotations",
    },
    "evaluation": {
        "test_size", "test_conf", "nmsthre", "split", "evaluated annotations", "evaluated size",
        "confidence", "nms", "evaluation precision", "fused", "legacy", "checkpoint",
    },
}  # fmt: skip
EVALUATION = {  # key of figures.json -> its name in a refusal
    "split": "split",
    "annotations": "evaluated annotations",
    "test_size": "evaluated size",
    "confidence": "confidence",
    "nms": "nms",
    "precision": "evaluation precision",
    "fused": "fused",
    "legacy": "legacy",
}
JUDGED_CHECKPOINT = "latest_ckpt.pth"


def require_same_protocol(runs: Sequence[Run]) -> None:
    """Refuse runs that another run than the first cannot be held against.

    Raises:
        InputError: two runs differ in detector, data, schedule or evaluation; the message names
            both and every setting that differs with both its values. Or an evaluation is not of
            the last checkpoint, or one checkpoint's for two runs.
    """
    _refuse_other_checkpoints(runs)
    for run in runs[1:]:
        told = [{**_protocol(each.record), **_evaluation(each)} for each in (runs[0], run)]
        if differing := _differing(*told):
            raise InputError(
                f"{runs[0].folder} and {run.folder} cannot be compared: {_sentence(differing)}"
            )


def protocol_differences(first: RunRecord, second: RunRecord) -> str:
    """Say in what the training of two runs differs but attention and seed; empty for nothing."""
    return _sentence(_differing(_protocol(first), _protocol(second)))


def _refuse_other_checkpoints(runs: Sequence[Run]) -> None:
    """Judged is what the whole schedule gave: the best epoch is chosen by its luck."""
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


def _protocol(record: RunRecord) -> dict[str, Any]:
    """Return everything of the training that must be equal in all runs of a comparison."""
    settings = {
        key: value
        for key, value in record.config.items()
        if key not in COSMETIC | HARMLESS and not key.startswith("attention")
    }
    return {
        **settings,
        **identify_data(record.data),
        "batch_size": record.batch_size * record.accumulate,
        "processes": record.processes,
        "precision": record.precision,
        "pretrained": (record.pretrained or {}).get("sha256"),
        "epochs trained": record.epoch,
    }


def _evaluation(run: Run) -> dict[str, Any]:
    """Return what must be equal in all evaluations; nothing where the run has no other one."""
    return {name: run.evaluated[key] for key, name in EVALUATION.items() if key in run.evaluated}


def _differing(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {
        key: (_value(ours, key), _value(theirs, key))
        for key in sorted(ours.keys() | theirs.keys())
        if key not in ours or key not in theirs or ours[key] != theirs[key]
    }


def _sentence(differing: dict[str, tuple[str, str]]) -> str:
    """Return "another detector (depth 0.33 / 0.67), another schedule (max_epoch 3 / 30)"."""
    groups: dict[str, list[str]] = {}
    for key, (ours, theirs) in differing.items():
        kind = next((kind for kind, keys in KINDS.items() if key in keys), "schedule")
        groups.setdefault(kind, []).append(f"{key} {ours} / {theirs}")
    return ", ".join(f"another {kind} ({', '.join(keys)})" for kind, keys in groups.items())


def _value(protocol: dict[str, Any], key: str) -> str:
    if key not in protocol:
        return "absent"
    value = protocol[key]
    if isinstance(value, str) and (key.endswith("sha256") or key == "pretrained"):
        return value[:12]
    return str(value)

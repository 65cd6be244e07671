"""Whether two runs differ only in what is under study: attention and seed."""

from collections.abc import Sequence
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
    "evaluation": {"test_size", "test_conf", "nmsthre"},
}  # fmt: skip


def require_same_protocol(runs: Sequence[Run]) -> None:
    """Refuse runs that another run than the first cannot be held against.

    Raises:
        InputError: two runs differ in detector, data, schedule or evaluation; the message names
            both and every setting that differs with both its values.
    """
    for run in runs[1:]:
        if differing := _differing(runs[0].record, run.record):
            raise InputError(
                f"{runs[0].folder} and {run.folder} cannot be compared: {_sentence(differing)}"
            )


def _protocol(record: RunRecord) -> dict[str, Any]:
    """Return everything of the run that must be equal in all runs of a comparison."""
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


def _differing(first: RunRecord, second: RunRecord) -> dict[str, tuple[str, str]]:
    ours, theirs = _protocol(first), _protocol(second)
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

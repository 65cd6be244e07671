"""Are two runs the same experiment? Three questions, each with what it overlooks, one printer.

| of the two runs | `continues` | `comparable` | `as_planned` |
| --- | --- | --- | --- |
| where files lie, logging, loading workers | overlooked | overlooked | overlooked |
| eval_interval (it decides the best epoch) | compared | overlooked | overlooked |
| channels_last, patience | compared | overlooked | overlooked |
| attention, seed | compared | overlooked | overlooked |
| every other setting of the Exp | compared | compared | compared |
| a setting that only one has | compared | compared | compared, unless planned as None |
| data, by content | compared | compared | if given |
| batch_size, accumulate | each compared | their product | if given |
| processes, precision | compared | compared | if given |
| weights it started from | overlooked | compared | if given |
| epochs trained | overlooked | compared | overlooked |
| text of the Exp file | compared | overlooked | overlooked |

A study compares attention as it was built, and wants one of its own seeds.
"""

from collections.abc import Collection, Mapping
from typing import Any

from yolox_attn.runs.record import RunRecord, plain_names

# Settings that change where things lie, how often they are logged, or how fast they come, not what
# is learnt. Annotation files are compared by what is in them; the seed is a field of its own.
COSMETIC = frozenset(
    {
        "data_dir",
        "data_num_workers",
        "eval_interval",
        "exp_name",
        "output_dir",
        "print_interval",
        "save_history_ckpt",
        "seed",
        "test_ann",
        "test_name",
        "train_ann",
        "val_ann",
    }
)
# The memory format changes the last bits and is said in a note; patience changes nothing unless it
# ended the run, and such a run is refused by itself.
HARMLESS = frozenset({"channels_last", "patience"})
# Settings that older records lack, with what they were before they could be set: YOLOX's.
LATER: dict[str, Any] = {"ema_decay": 0.9998, "ema_tau": 2000.0, "multiscale": True}
KINDS = {
    "detector": {"depth", "width", "act", "depthwise"},
    "data set": {
        "num_classes", "train_files", "train_images", "train_name", "train_sha256", "dir",
        "val_files", "val_images", "val_name", "val_sha256", "train annotations", "val annotations",
    },
    "evaluation": {
        "test_size", "test_conf", "nmsthre", "split", "evaluated annotations", "evaluated size",
        "confidence", "nms", "evaluation precision", "fused", "legacy", "checkpoint",
    },
}  # fmt: skip
ANNOTATION_KEYS = {
    "dir", "train annotations", "val annotations", "train_sha256", "val_sha256",
}  # fmt: skip
IMPORTED = "file "  # begins the keys of what the Exp file imports from its own folder
LONGEST = 80  # characters of a value in a message
Pairs = Mapping[str, tuple[Any, Any]]  # what -> the values of the two


def resume_protocol(
    config: Mapping[str, Any], data: Mapping[str, Any], facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Return, in JSON's types, everything that must be equal for a run to be continued.

    Args:
        config: as in `RunRecord.config`.
        data: as in `RunRecord.data`.
        facts: seed, batch_size, accumulate, processes, precision.
    """
    # How often a run is evaluated decides which epoch is its best, and when patience ends.
    return {**settings(config, COSMETIC - {"eval_interval"}), **_identify_data(data), **facts}


def continues(saved: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """Say what keeps the run of one `resume_protocol` from continuing as that of another."""
    if saved.get("train_files") and saved.get("dir", "") is None:
        # Older versions did not describe annotations that YOLOX had found by $YOLOX_DATADIR; the
        # names and sizes of the image files still identify the data.
        saved, now = (settings(each, ANNOTATION_KEYS) for each in (saved, now))
    saved, now = LATER | plain_names(dict(saved)), LATER | dict(now)
    if not any(key.startswith(IMPORTED) for key in saved):  # older versions, or nothing imported
        now = {key: value for key, value in now.items() if not key.startswith(IMPORTED)}
    return "; ".join(listed(differences(saved, now), "{key} {first} -> {second}"))


def comparable(
    first: RunRecord,
    second: RunRecord,
    evaluations: tuple[Mapping[str, Any], Mapping[str, Any]] = ({}, {}),
) -> str:
    """Say in what two runs differ besides attention and seed; empty where they can be compared.

    Args:
        first: a run.
        second: another.
        evaluations: what their evaluations were made with, if it is not the training's own.
    """
    ours, theirs = (
        {**_training(record), **evaluation}
        for record, evaluation in zip((first, second), evaluations, strict=True)
    )
    kinds: dict[str, dict[str, tuple[str, str]]] = {}
    for key, values in differences(ours, theirs).items():
        kind = next((kind for kind, keys in KINDS.items() if key in keys), "schedule")
        kinds.setdefault(kind, {})[key] = values
    return ", ".join(
        f"another {kind} ({', '.join(listed(pairs, '{key} {first} / {second}'))})"
        for kind, pairs in kinds.items()
    )


def as_planned(
    config: Mapping[str, Any], planned: Mapping[str, Any], facts: Pairs | None = None
) -> str:
    """Say in what a run differs from its plan; empty for nothing.

    Args:
        config: the run's settings.
        planned: those of the planned variant.
        facts: name -> what the run has and what was planned, besides the settings.
    """
    theirs = _comparable_settings(planned)
    # The record of a run before a setting was added does not have it: None is what it was.
    ours = {**dict.fromkeys(theirs), **_comparable_settings(config)}
    pairs = differences(ours, theirs)
    pairs |= {key: (str(a), str(b)) for key, (a, b) in (facts or {}).items() if a != b}
    return ", ".join(listed(pairs, "{key} {first} (planned {second})"))


def settings(config: Mapping[str, Any], overlooked: Collection[str]) -> dict[str, Any]:
    """Return the settings of an experiment without those that are `overlooked`."""
    return {key: value for key, value in config.items() if key not in overlooked}


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Return what differs between two descriptions, as text, sorted by name."""
    return {
        key: (_value(first, key), _value(second, key))
        for key in sorted(first.keys() | second.keys())
        if key not in first or key not in second or first[key] != second[key]
    }


def listed(pairs: Pairs, form: str) -> list[str]:
    """Return the differences in words, each as `form` says: "{key} {first} / {second}"."""
    return [
        form.format(key=key, first=first, second=second) for key, (first, second) in pairs.items()
    ]


def _comparable_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that all runs of a comparison share."""
    return {
        key: value
        for key, value in settings(LATER | dict(config), COSMETIC | HARMLESS).items()
        if not key.startswith("attention")
    }


def _identify_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what identifies the data: their hashes, and where there are none, their place.

    Args:
        data: as in `RunRecord.data`.
    """
    keys = ("train_sha256", "val_sha256", "train_files", "val_files", "train_images", "val_images")
    identity = {key: data.get(key) for key in keys}
    if not (identity["train_sha256"] and identity["val_sha256"]):
        identity |= {"dir": data.get("dir")}
        identity |= {f"{split} annotations": data.get(f"{split}_ann") for split in ("train", "val")}
    return identity


def _training(record: RunRecord) -> dict[str, Any]:
    """Return everything of the training that must be equal in all runs of a comparison."""
    return {
        **_comparable_settings(record.config),
        **_identify_data(record.data),
        "batch_size": record.batch_size * record.accumulate,
        "processes": record.processes,
        "precision": record.precision,
        "pretrained": (record.pretrained or {}).get("sha256"),
        "epochs trained": record.epoch,
    }


def _value(values: Mapping[str, Any], key: str) -> str:
    if key not in values:
        return "absent"
    value = values[key]
    is_hash = key.endswith(("sha256", "_files")) or key in ("Exp file", "pretrained")
    is_hash = is_hash or key.startswith(IMPORTED)
    if is_hash and isinstance(value, str):
        return value[:12]
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."

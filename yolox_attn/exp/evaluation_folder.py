"""Where an evaluation belongs: in its run's folder, named after what is not the run's own."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from yolox_attn.coco.annotations import ANNOTATIONS
from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.core.checkpoint import BEST_NAME
from yolox_attn.core.describe import describe_config
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.evaluation import Conditions
from yolox_attn.exp.image_size import SIZE_SETTINGS
from yolox_attn.runs import RECORD_NAME, RunRecord, file_hash, read_json
from yolox_attn.runs.protocol import COSMETIC, differences, listed

# What an evaluation's numbers depend on, by its keys in evaluation.json.
SETTINGS = (
    *("checkpoint", "split", "annotations_sha256", "test_size", "confidence", "nms", "precision"),
    *("fused", "legacy"),
)
SHORT = {"test_conf": "conf", "nmsthre": "nms"}  # in the name of a folder


@dataclass(frozen=True)
class Source:
    """The run that a checkpoint is of.

    Args:
        folder: where it lies, or where it would; results go there.
        record: its run.json, None where there is none: a published checkpoint, a stock run.
    """

    folder: Path
    record: RunRecord | None = None


def runs_below(folder: Path) -> list[str]:
    """Return the names of the run folders in `folder`."""
    return sorted(each.parent.name for each in folder.glob(f"*/{RECORD_NAME}"))


def settings_of(exp: AttentionExp, checkpoint: Path, how: Conditions) -> dict[str, Any]:
    """Return what the numbers depend on, as evaluation.json has it."""
    truth = annotations_of(exp, how)
    return {
        "checkpoint": {"file": str(checkpoint.resolve()), "sha256": file_hash(checkpoint)},
        "split": split_of(how),
        "data_dir": None if exp.data_dir is None else str(Path(exp.data_dir).resolve()),
        "annotations": exp.test_ann if how.test else exp.val_ann,
        "annotations_sha256": file_hash(truth) if truth and truth.is_file() else None,
        "test_size": list(exp.test_size),
        "confidence": exp.test_conf,
        "nms": exp.nmsthre,
        "precision": how.precision,
        "fused": how.fuse,
        "legacy": how.legacy,
    }


def folder_name(
    exp: AttentionExp,
    source: Source,
    checkpoint: Path,
    how: Conditions,
    given: Collection[str] = (),
) -> str:
    """Return "eval_val" for the run's own settings, else with what differs: "eval_val_416x416".

    Args:
        exp: the experiment, as it is evaluated.
        source: the run; without a record its settings are those of `exp`.
        checkpoint: what is evaluated; the run's own is its best.
        how: where and how.
        given: settings that the command line names.
    """
    parts = []
    if checkpoint.name != BEST_NAME or checkpoint.resolve().parent != source.folder.resolve():
        parts.append(checkpoint.stem.removesuffix("_ckpt"))
    if (record := source.record) is not None:
        ours, now = record.config, describe_config(exp)
        if now["test_size"] != ours.get("test_size"):
            parts.append("x".join(map(str, exp.test_size)))
        others = sorted({*given} - COSMETIC - {*SHORT, *SIZE_SETTINGS, "num_classes"})
        words = {**SHORT, **{key: f"{key}-" for key in others}}
        parts += [
            f"{word}{now[key]}"
            for key, word in words.items()
            if key in now and now[key] != ours.get(key)
        ]
        parts += _other_data(exp, record, how)
    flags = {how.precision: how.precision != "fp32", "fused": how.fuse, "legacy": how.legacy}
    parts += [word for word, wanted in flags.items() if wanted]
    named = [f"eval_{split_of(how)}", *(re.sub(r"[^\w.+-]+", "", part)[:40] for part in parts)]
    return "_".join(named)


def _other_data(exp: AttentionExp, record: RunRecord, how: Conditions) -> list[str]:
    """Return a word for annotations that are not the run's, by content where the run kept it."""
    if (path := annotations_of(exp, how)) is None or not path.is_file():
        return []
    if not how.test and (known := record.data.get("val_sha256")) is not None:
        same = known == file_hash(path)
    else:
        name = record.config.get("test_ann" if how.test else "val_ann", "")
        own = Path(str(record.data.get("dir")), ANNOTATIONS, name)
        same = not own.is_file() or file_hash(own) == file_hash(path)
    return [] if same else [f"data-{file_hash(path)[:8]}"]


def annotations_of(exp: AttentionExp, how: Conditions) -> Path | None:
    """Return the annotation file of the split, None where YOLOX is to find it by itself."""
    name = exp.test_ann if how.test else exp.val_ann
    return None if exp.data_dir is None else Path(exp.data_dir, ANNOTATIONS, name)


def refuse_other(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse to write over another evaluation than this one.

    Raises:
        InputError: evaluation.json in `folder` has other settings, or is no evaluation.
    """
    path = folder / EVALUATION_NAME
    if not path.is_file():
        return
    old = read_json(path, dict[str, Any], "what the eval command writes")
    pairs = {key: (old.get(key), settings[key]) for key in SETTINGS}
    pairs["checkpoint"] = _files(*pairs["checkpoint"])
    # Data that YOLOX or the Exp find by themselves are known only once they are loaded.
    known = {key: each for key, each in pairs.items() if None not in each}
    sides = ({key: each[side] for key, each in known.items()} for side in (0, 1))
    if differing := listed(differences(*sides), "{key} {first} there, {second} here"):
        words = ", ".join(differing)
        raise InputError(f"{folder} holds another evaluation ({words}); give --output DIR")


def _files(old: Any, new: dict[str, str]) -> tuple[str | None, str]:
    """Return the two checkpoints' files, equal if it is one file, which may have been trained."""
    if not isinstance(old, dict) or old.get("sha256") == new["sha256"]:
        return None, new["file"]
    return str(Path(str(old.get("file"))).resolve()), new["file"]


def split_of(how: Conditions) -> str:
    """Return "val" or "test"."""
    return "test" if how.test else "val"

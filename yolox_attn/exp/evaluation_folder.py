"""Where an evaluation belongs: in its run's folder, named after what is not the run's own."""

import hashlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yolox_attn.coco.annotations import ANNOTATIONS, read_annotations
from yolox_attn.coco.results import EVALUATION_NAME
from yolox_attn.core.checkpoint import BEST_NAME
from yolox_attn.core.describe import describe_config
from yolox_attn.data.coco_folder import fingerprint
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.evaluation import Conditions
from yolox_attn.exp.image_size import SIZE_SETTINGS
from yolox_attn.exp.loader import DATA_SETTINGS
from yolox_attn.models.exported import is_exported
from yolox_attn.runs import DETECTIONS_NAME, RECORD_NAME, RunRecord, file_hash, read_json
from yolox_attn.runs.protocol import COSMETIC, differences, listed

# What an evaluation's numbers depend on, by its keys in evaluation.json.
SETTINGS = (
    *("checkpoint", "split", "annotations_sha256", "image_files", "test_size", "confidence", "nms"),
    *("precision", "fused", "legacy", "given"),
)
# Settings of an Exp that have a key of their own there, or change no number.
NAMED = {*COSMETIC, *SIZE_SETTINGS, *DATA_SETTINGS, "test_conf", "nmsthre"}
LONGEST = 40  # characters of a word in the name of a folder


@dataclass(frozen=True)
class Source:
    """The run that a checkpoint is of.

    Args:
        folder: where it lies, or where it would; results go there.
        record: its run.json, None where there is none: a published checkpoint, a stock run.
        own: the settings of the Exp before the command line, for want of a record.
    """

    folder: Path
    record: RunRecord | None = None
    own: Mapping[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> Mapping[str, Any]:
        """The run's settings."""
        return self.own if self.record is None else self.record.config


def runs_below(folder: Path) -> list[str]:
    """Return the names of the run folders in `folder`."""
    return sorted(each.parent.name for each in folder.glob(f"*/{RECORD_NAME}"))


def settings_of(
    exp: AttentionExp, checkpoint: Path, how: Conditions, given: Collection[str] = ()
) -> dict[str, Any]:
    """Return what the numbers depend on, as evaluation.json has it.

    Args:
        exp: the experiment, as it is evaluated.
        checkpoint: what is evaluated.
        how: where and how.
        given: settings that the command line names.
    """
    truth, images = annotations_of(exp, how), images_of(exp, how)
    config = describe_config(exp)
    return {
        "checkpoint": {"file": str(checkpoint.absolute()), "sha256": file_hash(checkpoint)},
        "split": split_of(how),
        "data_dir": None if exp.data_dir is None else str(Path(exp.data_dir).absolute()),
        "annotations": exp.test_ann if how.test else exp.val_ann,
        "annotations_sha256": file_hash(truth) if truth and truth.is_file() else None,
        "image_files": fingerprint(images, _files_in(images)) if images else None,
        "test_size": list(exp.test_size),
        "confidence": exp.test_conf,
        "nms": exp.nmsthre,
        "precision": how.precision,
        "fused": how.fuse,
        "legacy": how.legacy,
        "given": {key: config.get(key) for key in sorted({*given} - NAMED)},
    }


def folder_name(
    exp: AttentionExp, source: Source, how: Conditions, settings: Mapping[str, Any]
) -> str:
    """Return "eval_val" for the run's own settings, else with what differs: "eval_val_416x416".

    Args:
        exp: the experiment, as it is evaluated.
        source: the run, whose own checkpoint is its best.
        how: where and how.
        settings: of the evaluation, by `settings_of`.
    """
    own, checkpoint = source.config, Path(settings["checkpoint"]["file"])
    parts = []
    if checkpoint.name != BEST_NAME or checkpoint.parent.resolve() != source.folder.resolve():
        named = checkpoint.name if is_exported(checkpoint) else checkpoint.stem
        parts.append(named.removesuffix("_ckpt"))
    if settings["test_size"] != own.get("test_size"):
        parts.append("x".join(map(str, settings["test_size"])))
    values = {"conf": ("test_conf", settings["confidence"]), "nms": ("nmsthre", settings["nms"])}
    values |= {f"{key}-": (key, value) for key, value in settings["given"].items()}
    parts += [f"{word}{value}" for word, (key, value) in values.items() if value != own.get(key)]
    if source.record is not None:
        parts += _other_data(exp, source.record, how, settings["annotations_sha256"])
    parts += [] if how.precision == "fp32" else [how.precision]
    parts += [word for word in ("fused", "legacy") if settings[word]]
    return "_".join([f"eval_{split_of(how)}", *map(_word, parts)])


def refuse_other(folder: Path, settings: dict[str, Any]) -> None:
    """Refuse to write over another evaluation than this one, or over a run.

    Raises:
        InputError: evaluation.json in `folder` has other settings, or is no evaluation; or the
            folder holds detections of something else.
    """
    path = folder / EVALUATION_NAME
    if (folder / RECORD_NAME).is_file():
        raise InputError(f"--output {folder}: it is a run's folder; give one of its own")
    if not path.is_file():
        if (folder / DETECTIONS_NAME).exists():
            raise InputError(f"{folder} holds a {DETECTIONS_NAME} of something else; give --output")
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


def split_of(how: Conditions) -> str:
    """Return "val" or "test"."""
    return "test" if how.test else "val"


def annotations_of(exp: AttentionExp, how: Conditions) -> Path | None:
    """Return the annotation file of the split, None where YOLOX is to find it by itself."""
    name = exp.test_ann if how.test else exp.val_ann
    return None if exp.data_dir is None else Path(exp.data_dir, ANNOTATIONS, name)


def images_of(exp: AttentionExp, how: Conditions) -> Path | None:
    """Return the image folder of the split, None where it is not known yet, or not there."""
    name = exp.test_name if how.test else exp.val_name
    folder = None if exp.data_dir is None else Path(exp.data_dir, name)
    return folder if folder is not None and folder.is_dir() else None


def _other_data(
    exp: AttentionExp, record: RunRecord, how: Conditions, sha256: str | None
) -> list[str]:
    """Return a word for data that are not the run's: by their place, or else by their content."""
    path, images = annotations_of(exp, how), images_of(exp, how)
    if path is None or sha256 is None:
        return []
    split = split_of(how)
    own = Path(str(record.data.get("dir")), ANNOTATIONS, str(record.config.get(f"{split}_ann")))
    known = record.data.get(f"{split}_sha256")
    if known is None and own.is_file():
        known = file_hash(own)
    here = own.parent.parent / str(record.config.get(f"{split}_name"))
    same = known in (None, sha256)
    if same and images is not None and images.resolve() != here.resolve():
        names = read_annotations(path).image_names
        files = record.data.get(f"{split}_files")
        if files is None and here.is_dir():
            files = fingerprint(here, names)
        same = files in (None, fingerprint(images, names))
        sha256 = hashlib.sha256(str(images.resolve()).encode()).hexdigest()
    return [] if same else [f"data-{sha256[:8]}"]


def _files_in(folder: Path) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        yield from (os.path.relpath(os.path.join(place, each), folder) for each in sorted(files))  # noqa: PTH118


def _word(part: str) -> str:
    """Return `part` as it may stand in a folder's name; what is left out gets a hash in place."""
    word = re.sub(r"[^\w.+-]+", "", part)[:LONGEST]
    return word if word == part else f"{word}-{hashlib.sha256(part.encode()).hexdigest()[:6]}"


def _files(old: Any, new: dict[str, str]) -> tuple[str | None, str]:
    """Return the two checkpoints' files, equal if it is one file, which may have been trained."""
    if not isinstance(old, dict) or old.get("sha256") == new["sha256"]:
        return None, new["file"]
    return str(Path(str(old.get("file"))).absolute()), new["file"]

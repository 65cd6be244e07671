"""What a study rests on besides its variants: the data that judge it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolox_attn.coco.annotations import ANNOTATIONS, read_truth
from yolox_attn.core.prepare import coco_sets
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor import examine_splits
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.exp import AttentionExp
from yolox_attn.runs import file_hash
from yolox_attn.stats.bootstrap import csv_of_groups, image_groups


@dataclass(frozen=True)
class DataCheck:
    """The data of a study, found and examined.

    Args:
        truth: annotations of the judging split; images: how many.
        groups: a key of their entries, or the whole path of a csv file; None for single images.
        group_count: how many groups the images form, None for single images.
        hashes: path -> sha256 of the train and val annotations, as far as they are COCO sets.
        remarks: of the data doctor, a sentence each.
    """

    truth: Path
    images: int
    groups: str | None
    group_count: int | None
    hashes: dict[str, str]
    remarks: tuple[str, ...]


def check_data(exp: AttentionExp, *, batch_size: int, split: str, groups: str | None) -> DataCheck:
    """Look for all data of the runs, let the data doctor see them, and count what judges.

    Raises:
        InputError: files are missing or broken, or the judging split cannot judge.
    """
    train = exp.get_data_loader(batch_size, False)  # noqa: FBT003 - YOLOX's signature
    val = adapt_evaluator(exp.get_evaluator(batch_size, False)).dataloader  # noqa: FBT003
    judging: Any = val.dataset
    if split == "test":
        judging = exp.get_evaluator(batch_size, False, testdev=True).dataloader.dataset  # noqa: FBT003
    if not isinstance(judging, CocoDetection):
        raise InputError(
            f"the {split} images come from {type(judging).__name__}; a study is judged by COCO "
            "annotations: give the folder by --data"
        )
    sets = dict(zip(("train", "val"), coco_sets(train, val) or (), strict=False))
    report = examine_splits(
        {**sets, split: judging},
        num_classes=exp.num_classes,
        max_labels=getattr(exp, "max_labels", None),
    )
    report.refuse()
    truth = _annotations(judging)
    if not read_truth(truth).objects:
        raise InputError(f"{truth} has no annotations: nothing to judge by")
    place, count = _count_groups(groups, truth)
    return DataCheck(
        truth=truth,
        images=len(judging),
        groups=place,
        group_count=count,
        hashes={str(file): file_hash(file) for file in map(_annotations, sets.values())},
        remarks=tuple(f"data doctor: {warning.line}" for warning in report.warnings),
    )


def _annotations(images: CocoDetection) -> Path:
    return Path(images.data_dir, ANNOTATIONS, images.json_file).resolve()


def _count_groups(groups: str | None, truth: Path) -> tuple[str | None, int | None]:
    """Return where the groups are listed, a file by its whole path, and how many there are."""
    if groups is None:
        return None, None
    path = csv_of_groups(groups)
    place = groups if path is None else str(path.resolve())
    return place, len(np.unique(image_groups(read_truth(truth), place)))

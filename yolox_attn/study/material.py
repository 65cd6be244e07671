"""The data of a study, looked at before its first run: is all of it there, and can it judge?"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from yolox_attn.core.prepare import coco_sets
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.doctor import examine_splits
from yolox_attn.errors import InputError
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.exp import AttentionExp
from yolox_attn.stats.resample import groups_from_csv, groups_from_key
from yolox_attn.stats.truth import read_truth


@dataclass(frozen=True)
class Material:
    """What judges the runs.

    Args:
        truth: annotations of the judging split; images: how many.
        annotations: of the train and val splits, for as far as they are COCO sets.
        groups: a key of their entries or a whole path; units: how many groups. None for images.
        remarks: of the data doctor, a sentence each.
    """

    truth: Path
    images: int
    groups: str | None
    units: int | None
    remarks: tuple[str, ...]
    annotations: tuple[Path, ...] = ()


def check_material(
    exp: AttentionExp, *, batch_size: int, split: str, groups: str | None
) -> Material:
    """Look for all data of the runs, let the data doctor see them, and count what judges.

    Raises:
        InputError: files are missing or broken, or the judging split cannot judge.
    """
    train = exp.get_data_loader(batch_size, False)  # noqa: FBT003 - the host's signature
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
    place, units = _groups(groups, truth)
    remarks = tuple(f"data doctor: {found.line}" for found in report.warnings)
    annotations = tuple(_annotations(each) for each in sets.values())
    return Material(truth, len(judging), place, units, remarks, annotations)


def _annotations(images: CocoDetection) -> Path:
    return Path(images.data_dir, "annotations", images.json_file).resolve()


def _groups(groups: str | None, truth: Path) -> tuple[str | None, int | None]:
    """Return where the images' groups are told, a file by its whole path, and how many they are."""
    if groups is None:
        return None, None
    content = read_truth(truth)
    if groups.endswith(".csv"):
        path = Path(groups).expanduser().resolve()
        return str(path), len(np.unique(groups_from_csv(content, path)))
    return groups, len(np.unique(groups_from_key(content, groups)))

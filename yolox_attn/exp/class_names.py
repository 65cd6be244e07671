"""What the classes of a detector are called."""

import contextlib
from pathlib import Path

from yolox.data.datasets import COCO_CLASSES

from yolox_attn.coco.annotations import ANNOTATIONS, read_annotations
from yolox_attn.errors import InputError
from yolox_attn.exp.base import AttentionExp
from yolox_attn.runs import RunRecord, file_hash


def class_names(exp: AttentionExp, record: RunRecord | None = None) -> list[str]:
    """Return the names: of the run's annotations, else of its metrics, else COCO's.

    Args:
        exp: the experiment.
        record: of the run; without one the annotations are those of the experiment's data.
    """
    file = annotations_of_classes(exp, record)
    if file is not None:
        with contextlib.suppress(InputError):
            names = [name for _, name in read_annotations(file).categories]
            if len(names) == exp.num_classes:
                return names
    if record is not None and len(record.class_ap) == exp.num_classes:
        return [*record.class_ap]
    if len(COCO_CLASSES) == exp.num_classes:
        return [*COCO_CLASSES]
    return [f"class {number}" for number in range(exp.num_classes)]


def annotations_of_classes(exp: AttentionExp, record: RunRecord | None) -> Path | None:
    """Return the annotation file that names the classes, None if it is not there as it was."""
    if record is None:
        return None if exp.data_dir is None else Path(exp.data_dir, ANNOTATIONS, exp.val_ann)
    folder = record.data.get("dir")
    file = Path(str(folder), ANNOTATIONS, str(record.data.get("val_ann")))
    same = folder is not None and file.is_file()
    return file if same and file_hash(file) == record.data.get("val_sha256") else None

"""What the classes of a detector are called."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from yolox.data.datasets import COCO_CLASSES

from yolox_attn.coco.annotations import ANNOTATIONS, read_annotations
from yolox_attn.console import shortlist
from yolox_attn.errors import InputError
from yolox_attn.runs import RECORD_NAME, RunRecord, file_hash, read_record


def class_names(exp: Any, record: RunRecord | None = None) -> list[str]:
    """Return the names: those that the run had, else of the experiment's data, else COCO's.

    Args:
        exp: the experiment.
        record: of the run; without one the annotations are those of the experiment's data.
    """
    names = names_of_data(exp) if record is None else trained_names(record)
    if names is not None and len(names) == exp.num_classes:
        return names
    if len(COCO_CLASSES) == exp.num_classes:
        return [*COCO_CLASSES]
    return [f"class {number}" for number in range(exp.num_classes)]


def trained_names(record: RunRecord) -> list[str] | None:
    """Return what a run's classes were called, None if nothing says it any more."""
    if known := record.data.get("class_names"):
        return list(map(str, known))
    # Records that do not say it: by their annotations, as long as they are there as they were.
    folder = record.data.get("dir")
    file = Path(str(folder), ANNOTATIONS, str(record.data.get("val_ann")))
    if folder is not None and file.is_file() and file_hash(file) == record.data.get("val_sha256"):
        with contextlib.suppress(InputError):
            return names_in(file)
    return [*record.class_ap] or None


def names_of_data(exp: Any) -> list[str] | None:
    """Return what the classes are called in the experiment's data, None if these are not known."""
    if exp.data_dir is None:
        return None
    with contextlib.suppress(InputError):
        return names_in(Path(exp.data_dir, ANNOTATIONS, exp.val_ann))
    return None


def names_in(file: Path) -> list[str]:
    """Return the names of the categories, in the order of YOLOX's class indices.

    Raises:
        InputError: the file is missing or broken.
    """
    return [name for _, name in read_annotations(file).categories]


def is_of_other_classes(checkpoint: Path, exp: Any) -> bool:
    """Tell whether a checkpoint lies in a run whose classes are not those of `exp`'s data."""
    trained = None
    if (checkpoint.parent / RECORD_NAME).is_file():
        with contextlib.suppress(InputError):  # a damaged record is no matter of the weights
            trained = trained_names(read_record(checkpoint.parent))
    here = names_of_data(exp) if trained else None
    return bool(trained and here and first_other(trained, here) is not None)


def first_other(trained: Sequence[str], here: Sequence[str]) -> int | None:
    """Return the first class that is not called the same, capitals aside; None if all are."""
    pairs = enumerate(zip(map(_plain, trained), map(_plain, here), strict=False))
    return next((place for place, (one, other) in pairs if one != other), None)


def check_classes(trained: Sequence[str], file: Path) -> str | None:
    """Hold what a detector calls its classes against annotations that are to judge it.

    Returns:
        a warning where names differ: boxes are judged by the places of their classes. Another
        number of them is another matter.

    Raises:
        InputError: they are the same classes in another order, which would judge every box as
            another class; or the file is missing or broken.
    """
    here = names_in(file)
    place = first_other(trained, here)
    if place is None or len(trained) != len(here):
        return None
    where = f"{file}: class {place} is {here[place]!r}, the detector's is {trained[place]!r}"
    if sorted(map(_plain, trained)) == sorted(map(_plain, here)):
        raise InputError(
            f"{where}: the same classes in another order; give data that have them in the order "
            f"{shortlist(trained, 8)} (Pascal VOC and YOLO: classes.txt)"
        )
    return f"{where}: boxes are judged by the places of their classes"


def _plain(name: str) -> str:
    return name.strip().casefold()

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
    known = record.data.get("class_names")
    if isinstance(known, list) and known and all(isinstance(name, str) for name in known):
        return known
    # Records that do not say it: by their annotations, as long as they are there as they were.
    folder = record.data.get("dir")
    file = Path(str(folder), ANNOTATIONS, str(record.data.get("val_ann")))
    with contextlib.suppress(InputError, OSError, ValueError):
        if folder is not None and file_hash(file) == record.data.get("val_sha256"):
            return names_in(file)
    return [*record.class_ap] or None


def names_of_run(checkpoint: Path) -> list[str] | None:
    """Return the class names of the run that a checkpoint lies in, None if nothing says them."""
    if (checkpoint.parent / RECORD_NAME).is_file():
        with contextlib.suppress(InputError):  # a damaged record is no matter of the weights
            return trained_names(read_record(checkpoint.parent))
    return None


def names_of_data(exp: Any) -> list[str] | None:
    """Return what the classes are called in the experiment's data, None if these are not known."""
    if exp.data_dir is None or exp.val_ann is None:
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
    """Tell whether a checkpoint's run had other classes than `exp`'s data, as far as is known.

    A class that both have at two places makes them others, or names of which most are others; some
    may have been renamed.
    """
    trained = names_of_run(checkpoint)
    here = names_of_data(exp) if trained else None
    if not trained or not here:
        return False
    kept = len(here) - len(_renamed(trained, here))
    return _displaced(trained, here) is not None or 2 * kept < len(here)


def check_classes(trained: Sequence[str], file: Path) -> str | None:
    """Compare the class names of a detector with those of the annotations that judge it.

    Returns:
        a warning where names differ: boxes are judged by the places of their classes. Another
        number of them is another matter.

    Raises:
        InputError: a class that both have has another place, where its boxes would be judged as
            another class's; or the file is missing or broken.
    """
    here = names_in(file)
    if len(trained) != len(here):
        return None
    if (place := _displaced(trained, here)) is not None:
        raise InputError(
            f"{file}: class {place} is {here[place]!r}, the detector's is {trained[place]!r}: its "
            f"classes have another order; give data that have them as {shortlist(trained, 8)} "
            "(Pascal VOC and YOLO: classes.txt)"
        )
    if renamed := _renamed(trained, here):
        place = renamed[0]
        return (
            f"{file}: class {place} is {here[place]!r}, the detector's is {trained[place]!r}: "
            "boxes are judged by the places of their classes"
        )
    return None


def _displaced(trained: Sequence[str], here: Sequence[str]) -> int | None:
    """Return the first place of a class of the data that the detector has at other places alone."""
    known = [_plain(name) for name in trained]
    places = enumerate(map(_plain, here))
    return next((k for k, name in places if name in known and known[k : k + 1] != [name]), None)


def _renamed(trained: Sequence[str], here: Sequence[str]) -> list[int]:
    """Return the places whose classes are called differently, capitals aside."""
    pairs = enumerate(zip(trained, here, strict=False))
    return [place for place, (one, other) in pairs if _plain(one) != _plain(other)]


def _plain(name: str) -> str:
    return name.strip().casefold()

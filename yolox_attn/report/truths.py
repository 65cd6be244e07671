"""Which annotations judge the runs: found where the runs say, and the same file, by its hash."""

from collections.abc import Sequence
from pathlib import Path

from yolox_attn.core.checkpoint import file_hash
from yolox_attn.errors import InputError
from yolox_attn.report.collect import Run

ANNOTATIONS = "annotations"


def find_truth(runs: Sequence[Run], wanted: Path | None) -> Path | None:
    """Return the truth file: `wanted`, else the one that the first run names; None if it is gone.

    Raises:
        InputError: `wanted` is no file, or the file is not the one that judged the runs.
    """
    path = wanted or named_truth(runs[0])
    if path is None or not path.is_file():
        if wanted is not None:
            raise InputError(f"--truth {wanted}: no such file")
        return None
    known = _known_hash(runs[0])
    if known is not None and (found := file_hash(path)) != known:
        raise InputError(
            f"{path} is not the truth that judged the runs: its sha256 is {found[:12]}, theirs "
            f"{known[:12]}; name that file by --truth, or leave the verdict out by --no-verdict"
        )
    return path


def named_truth(run: Run) -> Path | None:
    """Return where the run, or its other evaluation, says that its truth is."""
    told, record = run.evaluated, run.record
    folder = told.get("data_dir") if told else record.data.get("dir")
    name = told.get("annotations") if told else record.data.get("val_ann")
    return Path(folder) / ANNOTATIONS / name if folder and name else None


def _known_hash(run: Run) -> str | None:
    """Return the truth's sha256 where the run kept it: of the split that it validated on."""
    if run.evaluated and run.evaluated["split"] != "val":
        return None
    known = run.record.data.get("val_sha256")
    return None if known is None else str(known)

"""What lies in a folder before a run starts there."""

from pathlib import Path

from yolox_attn.errors import InputError
from yolox_attn.runs.lock import held, is_mine
from yolox_attn.runs.metrics import METRICS_NAME
from yolox_attn.runs.record import RECORD_NAME, read_record

CHECKPOINTS = "*_ckpt.pth"
DETECTIONS_NAME = "detections.json"


def old_files(folder: Path) -> list[Path]:
    """Return what a run left in `folder` and a new one would mix with: all but its log."""
    names = (RECORD_NAME, METRICS_NAME, DETECTIONS_NAME)
    left = [path for name in names if (path := folder / name).is_file()]
    return [*sorted(folder.glob(CHECKPOINTS)), *left, *sorted(folder.glob("tensorboard/events.*"))]


def refuse_or_clear(folder: Path, *, overwrite: bool) -> None:
    """Keep a run from starting over another one's files, unless it may `overwrite` them.

    Raises:
        InputError: the folder holds a checkpoint, or another process is training there.
    """
    if held(folder) and not is_mine(folder):
        raise InputError(f"{folder}: another process is training there; wait, or use -expn NAME")
    if not overwrite:
        if found := sorted(folder.glob(CHECKPOINTS)):
            raise InputError(
                f"{folder} holds a run ({_describe(folder, found)}): --resume goes on with it, "
                "--overwrite starts anew, -expn NAME keeps both"
            )
        return
    for path in old_files(folder):
        path.unlink(missing_ok=True)


def _describe(folder: Path, checkpoints: list[Path]) -> str:
    """Return "latest_ckpt.pth, epoch 3", without the epoch where no record tells it."""
    names = [path.name for path in checkpoints]
    name = "latest_ckpt.pth" if "latest_ckpt.pth" in names else names[0]
    try:
        return f"{name}, epoch {read_record(folder).epoch}"
    except InputError:  # a stock run's folder, or a record that cannot be read
        return name

"""Where a run's curves are shown besides metrics.jsonl: in tensorboard, in wandb, or nowhere."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from yolox_attn.core.wandb_board import check_wandb, open_wandb
from yolox_attn.errors import InputError
from yolox_attn.names import LOGGERS
from yolox_attn.runs import RunRecord, numbers_of


class Board(Protocol):
    """Shows the numbers of a run's epochs."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Show one row of metrics.jsonl."""

    def keep(self, checkpoint: Path) -> None:
        """Take a copy of a checkpoint, if the board is there for that."""

    def close(self, code: int) -> None:
        """Show that the run has ended, with the exit code `code`."""


def check_board(kind: str, words: Mapping[str, str]) -> None:
    """Check that a board of `kind` can be opened, before anything is written.

    Args:
        kind: one of `LOGGERS`.
        words: WORD -> value of `wandb-WORD value`.

    Raises:
        InputError: there is no such kind; or wandb is missing, too old or not logged in, or does
            not know a word or its value.
    """
    if kind not in LOGGERS:
        raise InputError(f"-l {kind}: it is {', '.join(LOGGERS)}")
    if kind == "wandb":
        check_wandb(words)


def open_board(kind: str, folder: Path, record: RunRecord, words: Mapping[str, str]) -> Board:
    """Open the board of `kind` for the run in `folder`, whose metrics.jsonl ends where it goes on.

    Raises:
        InputError: wandb cannot even begin offline.
    """
    if kind == "wandb":
        return open_wandb(folder, record, words)
    if kind == "tensorboard":
        return TensorBoard(folder, first=record.epoch + 1 if record.resumed else None)
    return NoBoard()


class NoBoard:
    """Shows nothing."""

    def log(self, row: Mapping[str, Any]) -> None:
        """Do nothing."""

    def keep(self, checkpoint: Path) -> None:
        """Do nothing."""

    def close(self, code: int) -> None:
        """Do nothing."""


class TensorBoard:
    """Writes event files to FOLDER/tensorboard: `tensorboard --logdir` finds them from above.

    Args:
        folder: of the run.
        first: of a run that goes on: the epoch from which on older events do not count.
    """

    def __init__(self, folder: Path, *, first: int | None) -> None:
        from torch.utils.tensorboard import SummaryWriter  # a second, of a program that only prints

        self._writer = SummaryWriter(str(folder / "tensorboard"), purge_step=first)

    def log(self, row: Mapping[str, Any]) -> None:
        """Write the row's numbers as scalars epoch/NAME."""
        for key, value in numbers_of(row).items():
            self._writer.add_scalar(f"epoch/{key}", value, row["epoch"])

    def keep(self, checkpoint: Path) -> None:
        """Do nothing: it shows numbers."""

    def close(self, code: int) -> None:
        """Write what is not written yet; tensorboard does not know how a run ended."""
        self._writer.close()


class NoStepLogger:
    """What YOLOX's trainer gives the losses of single steps to: boards show epochs."""

    def log_metrics(self, metrics: Mapping[str, Any]) -> None:
        """Do nothing."""

"""A run that shows its epochs to a board, for the tests of boards."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from run_folders import make_record

from yolox_attn.core.boards import open_board
from yolox_attn.core.run_log import RunLog
from yolox_attn.runs import RunRecord, append_metrics, keep_metrics


def record(**changes: Any) -> RunRecord:
    fresh = {"state": "running", "epoch": 0, "pid": 1} | changes
    return dataclasses.replace(make_record("yolox_s", 3, None), **fresh)


def resumed(epoch: int, *, exact: bool = True) -> RunRecord:
    """The record of a run that goes on after `epoch`."""
    return record(epoch=epoch, resumed=[{"epoch": epoch, "exact": exact}])


def row(epoch: int, ap: float | None = None) -> dict[str, Any]:
    return {"epoch": epoch, "total_loss": 10.0 - epoch, "AP": ap}


def run_epochs(
    folder: Path, epochs: range, begun: RunRecord, words: dict[str, str] | None = None,
    *, code: int = 0, kind: str = "wandb",
) -> None:  # fmt: skip
    """Show epochs to a board as a run does, from its record to its end."""
    keep_metrics(folder, begun.epoch)
    board = open_board(kind, folder, begun, words or {})
    for epoch in epochs:
        append_metrics(folder, row(epoch))
        board.log(row(epoch))
    board.close(code)


@contextmanager
def going(folder: Path, begun: RunRecord, kind: str = "wandb", rank: int = 0) -> Iterator[RunLog]:
    log = RunLog(folder, rank=rank, device=torch.device("cpu"))
    with log.open():
        log.start(begun, kind, {})
        yield log

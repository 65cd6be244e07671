"""What a run writes while it runs: run.json, metrics, a board, detections."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from loguru import logger

from yolox_attn import device as devices
from yolox_attn.coco.results import Detections, write_detections
from yolox_attn.core.boards import Board, open_board
from yolox_attn.core.describe import now
from yolox_attn.errors import InputError, Interrupted
from yolox_attn.runs import (
    DETECTIONS_NAME,
    RunRecord,
    append_metrics,
    hold,
    keep_metrics,
    open_log,
    remove_leftovers,
    write_record,
)
from yolox_attn.seed import stream


class RunLog:
    """The run folder's files except the checkpoints; of several processes only rank 0 writes.

    Args:
        folder: the run's folder; made when the run is opened.
        rank: of this process.
        device: whose peak memory is recorded.
    """

    def __init__(self, folder: Path, rank: int, device: torch.device) -> None:
        self.folder = folder
        self.writes = rank == 0
        self.device = device
        self.record: RunRecord | None = None
        self._before = 0.0  # seconds of the parts of this run that ended earlier
        self.board: Board | None = None

    @contextmanager
    def open(self) -> Iterator[None]:
        """Hold the folder and log into it meanwhile; the record then says how the run ended.

        Enter it when everything has been checked: it makes the folder.

        Raises:
            InputError: the folder cannot be made, or another process is training there.
        """
        self._started = time.perf_counter()
        if not self.writes:
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"cannot make the run's folder {self.folder}: {error.strerror}; set output_dir"
            ) from error
        with hold(self.folder):
            remove_leftovers(self.folder)
            file = open_log(self.folder / "train_log.txt")

            def write(line: str) -> None:
                file.write(line.encode(errors="backslashreplace"))

            sink = logger.add(write)
            try:
                yield
            except BaseException as error:
                self._end_badly(error)
                raise
            else:
                self.update(state="finished", ended=now())
                self._close_board(0)
            finally:
                logger.remove(sink)
                file.close()

    def start(self, record: RunRecord, kind: str, wandb: dict[str, str]) -> None:
        """Write the record's first form and open the board of `kind`, as `check_board` takes it.

        Of an earlier run's metrics those are kept that lie before the record's epoch.
        """
        self.record = record
        self._before = record.seconds
        if not self.writes:
            return
        keep_metrics(self.folder, record.epoch)
        if not record.resumed:
            (self.folder / DETECTIONS_NAME).unlink(missing_ok=True)
        with stream(record.seed or 0, "board"):  # whatever it draws, the training does not notice
            self.board = open_board(kind, self.folder, record, wandb)
        self.update()

    def epoch(self, row: dict[str, Any], **changes: Any) -> None:
        """Write one epoch's numbers, and what changed in the record."""
        if not self.writes:
            return
        append_metrics(self.folder, row)
        if self.board is not None:
            self.board.log(row)
        self.update(epoch=row["epoch"], **changes)

    def checkpoint(self, name: str) -> None:
        """Show the board a checkpoint that was written into the folder."""
        if self.board is not None:
            self.board.keep(self.folder / name)

    def detections(self, detections: Detections) -> None:
        """Keep the last evaluation's detections as COCO results."""
        if self.writes:
            write_detections(self.folder, detections)

    def update(self, **changes: Any) -> None:
        """Change fields of the record and write it."""
        if self.record is None or not self.writes:
            return
        for key, value in changes.items():
            setattr(self.record, key, value)
        spent = time.perf_counter() - self._started
        self.record.seconds = round(self._before + spent, 3)
        self.record.peak_memory = devices.peak_memory(self.device)
        write_record(self.folder, self.record)

    def _end_badly(self, error: BaseException) -> None:
        """Say in the record why the run ended; if that fails too, the first reason stands."""
        stopped = isinstance(error, Interrupted | KeyboardInterrupt)
        reason = f"{type(error).__name__}: {error}"
        try:
            self.update(state="interrupted" if stopped else "failed", error=reason, ended=now())
        except OSError as second:
            logger.error(f"the record in {self.folder} does not say how it ended: {second}")
        try:
            self._close_board(Interrupted.CODE if stopped else 1)
        except OSError as second:
            logger.error(f"the last lines of the board are lost: {second}")

    def _close_board(self, code: int) -> None:
        if self.board is not None:
            self.board.close(code)

"""When a run saves besides its epochs' ends, and into which files."""

import time
from typing import Any

from yolox_attn.core.checkpoint import LATEST_NAME, PREVIOUS_NAME, save_checkpoint
from yolox_attn.core.state import capture, rank_states

Position = tuple[int, int]  # epochs done, steps done of the next one


class Saver:
    """Writes a trainer's checkpoints; every rank calls it, rank 0 writes.

    Args:
        steps, minutes: how often `due` says so; None: never.
    """

    def __init__(self, trainer: Any, *, steps: int | None, minutes: float | None) -> None:
        self.trainer = trainer
        self.steps, self.minutes = steps, minutes
        self._saved = time.monotonic()

    def due(self, done: int) -> bool:
        """Tell whether it is time to save after `done` steps of the whole run."""
        by_steps = self.steps is not None and done % self.steps == 0
        waited = time.monotonic() - self._saved
        return by_steps or (self.minutes is not None and waited >= 60 * self.minutes)

    def latest(self, position: Position, ranks: list[dict[str, Any]] | None = None) -> None:
        """Write what --resume goes on from; the one before stays beside it."""
        self.save(LATEST_NAME, position, ranks)
        self._saved = time.monotonic()

    def save(
        self, name: str, position: Position, ranks: list[dict[str, Any]] | None = None
    ) -> None:
        """Write a checkpoint into the file `name`; `ranks` from `rank_states`, if taken before."""
        ranks = rank_states(self.trainer) if ranks is None else ranks
        if self.trainer.rank != 0:
            return
        folder = self.trainer.folder
        previous = folder / PREVIOUS_NAME if name == LATEST_NAME else None
        state = capture(self.trainer, position, ranks)
        save_checkpoint(state, folder / name, previous=previous)

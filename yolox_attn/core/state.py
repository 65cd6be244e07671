"""What a checkpoint holds, everything that decides a run's further numbers; and when it saves."""

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _NormBase
from yolox.utils import get_rank

from yolox_attn import device as devices
from yolox_attn.core.checkpoint import LATEST_NAME, PREVIOUS_NAME, save_checkpoint
from yolox_attn.core.distributed import gather_objects
from yolox_attn.runs import check_hold
from yolox_attn.seed import random_states, restore_random_states

if TYPE_CHECKING:
    from yolox_attn.core.prepared import PreparedTrainer

Position = tuple[int, int]  # epochs done, steps done of the next one


@dataclass
class Progress:
    """What a run has counted so far.

    Args:
        losses: sums over the steps of the epoch in progress, by name, of this rank.
        seconds: of training in the epoch in progress.
        epoch_cut: boxes beyond max_labels in the epoch in progress, of this rank; labels_cut: over
            the whole run.
        evaluations: how many there were; since_best: how many since the best AP.
        best_epoch: the epoch, from 1, of the best AP; 0 before the first evaluation.
    """

    losses: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    epoch_cut: int = 0
    labels_cut: int = 0
    evaluations: int = 0
    since_best: int = 0
    best_epoch: int = 0

    def step(self, losses: Mapping[str, float], seconds: float, cut: int) -> None:
        """Count a step."""
        for key, value in losses.items():
            self.losses[key] = self.losses.get(key, 0.0) + value
        self.seconds += seconds
        self.epoch_cut += cut
        self.labels_cut += cut

    def next_epoch(self) -> None:
        """Forget what was counted of the epoch that is over."""
        self.losses, self.seconds, self.epoch_cut = {}, 0.0, 0

    def evaluated(self, epoch: int, *, better: bool) -> None:
        """Count an evaluation after `epoch`, from 1; `better` than all before it."""
        self.evaluations += 1
        self.since_best = 0 if better else self.since_best + 1
        self.best_epoch = epoch if better else self.best_epoch


def capture(
    trainer: "PreparedTrainer", position: Position, ranks: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the content of a checkpoint at `position` (epochs done, steps done of the next).

    `model`, `optimizer`, `start_epoch` and `best_ap` are the stock trainer's; `weights` are the raw
    weights that training goes on from, `ranks` comes from `rank_states`.
    """
    return {
        "start_epoch": position[0],
        "start_iter": position[1],
        "model": trainer.eval_model().state_dict(),
        "optimizer": trainer.optimizer.state_dict(),
        "best_ap": trainer.best_ap or 0.0,
        "weights": trainer.raw_model().state_dict(),
        "ema_updates": trainer.ema_model.updates if trainer.use_model_ema else 0,
        "scaler": trainer.scaler.state_dict(),
        "input_size": list(trainer.input_size),
        "ranks": ranks,
        "protocol": trainer.protocol,
        "environment": trainer.environment,
    }


def restore_training(trainer: "PreparedTrainer", state: dict[str, Any]) -> None:
    """Restore EMA, counters and this rank's own state; a stock file has some of it, or none."""
    trainer.scaler.load_state_dict(state.get("scaler") or trainer.scaler.state_dict())
    if trainer.use_model_ema and "weights" in state:
        trainer.ema_model.ema.load_state_dict(state["model"])
        trainer.ema_model.updates = state["ema_updates"]
    trainer.best_ap = float(state.get("best_ap", 0.0))
    ranks = state.get("ranks", [])
    if not ranks:  # a stock run's
        return
    trainer.input_size = tuple(state["input_size"])
    _restore_rank(trainer, ranks[min(get_rank(), len(ranks) - 1)])
    if not trainer.progress.evaluations:
        trainer.best_ap = None


def rank_states(trainer: "PreparedTrainer") -> list[dict[str, Any]]:
    """Return on rank 0 what each rank has of its own: streams, counts, BatchNorm statistics.

    Every rank must call it. The statistics are in the weights already where there is one rank.
    """
    own: dict[str, Any] = {
        "progress": asdict(trainer.progress),
        "random": random_states(),
        "device_random": devices.random_state(trainer.device),
    }
    if trainer.processes > 1:
        own["norms"] = [
            {name: value.cpu() for name, value in _statistics(model).items()}
            for model in trainer.models()
        ]
    return gather_objects(own)


def _restore_rank(trainer: "PreparedTrainer", own: dict[str, Any]) -> None:
    trainer.progress = Progress(**own["progress"])
    for model, saved in zip(trainer.models(), own.get("norms", []), strict=False):
        for name, value in _statistics(model).items():
            value.copy_(saved[name])
    devices.restore_random_state(trainer.device, own["device_random"])
    restore_random_states(own["random"])


def _statistics(model: nn.Module) -> dict[str, Tensor]:
    """Return the running statistics of every BatchNorm by name."""
    return {
        f"{name}.{key}": value
        for name, module in model.named_modules()
        if isinstance(module, _NormBase)
        for key, value in module.named_buffers(recurse=False)
    }


class Saver:
    """Writes a trainer's checkpoints; every rank calls it, rank 0 writes.

    Args:
        steps, minutes: how often `due` says so; None: never.
    """

    def __init__(
        self, trainer: "PreparedTrainer", *, steps: int | None, minutes: float | None
    ) -> None:
        self.trainer = trainer
        self.steps, self.minutes = steps, minutes
        self._saved = time.monotonic()

    def due(self, done: int) -> bool:
        """Tell whether it is time to save after `done` steps of the whole run."""
        by_steps = self.steps is not None and done % self.steps == 0
        waited = time.monotonic() - self._saved
        return by_steps or (self.minutes is not None and waited >= 60 * self.minutes)

    def latest(self, position: Position, ranks: list[dict[str, Any]] | None = None) -> None:
        """Write what --resume goes on from; the one before is kept too."""
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
        check_hold(folder)
        previous = folder / PREVIOUS_NAME if name == LATEST_NAME else None
        state = capture(self.trainer, position, ranks)
        save_checkpoint(state, folder / name, previous=previous)

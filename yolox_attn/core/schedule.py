"""The schedule of a run: which epochs warm up, lose mosaic, are evaluated; and can it work?"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from yolox_attn.console import count
from yolox_attn.errors import InputError


@dataclass(frozen=True)
class Schedule:
    """Epochs and steps of a run.

    Attributes:
        steps: steps of an epoch.
        eval_interval: epochs between two evaluations, from 1.
        mosaic: False: the experiment never uses it.
    """

    max_epoch: int
    warmup_epochs: int
    no_aug_epochs: int
    steps: int
    eval_interval: int
    mosaic: bool = True

    @property
    def first_no_mosaic_epoch(self) -> int:
        """The first epoch without mosaic and with L1 loss, counted from 0.

        YOLOX switches one epoch earlier than the name no_aug_epochs says, so that even with 0 the
        last epoch is plain; what it calls no_aug_epochs is only the flat end of the learning rate.
        Kept: a run of ours is a run of YOLOX's.
        """
        return max(self.max_epoch - self.no_aug_epochs - 1, 0)

    @property
    def evaluated(self) -> list[int]:
        """The epochs, from 1, that end with an evaluation: every interval, all without mosaic."""
        return [
            epoch
            for epoch in range(1, self.max_epoch + 1)
            if epoch > self.first_no_mosaic_epoch or epoch % self.eval_interval == 0
        ]


def check_schedule(max_epoch: int, warmup_epochs: int, no_aug_epochs: int) -> None:
    """Refuse a schedule without an epoch between warm-up and end.

    In YOLOX such a run falls from warm-up to its lowest learning rate, without mosaic, silently.

    Raises:
        InputError: it does not fit, with overrides that do; or a number is out of range.
    """
    if max_epoch < 1:
        raise InputError(f"max_epoch {max_epoch}: at least 1")
    for key, value in (("warmup_epochs", warmup_epochs), ("no_aug_epochs", no_aug_epochs)):
        if value < 0:
            raise InputError(f"{key} {value}: 0 or more")
    if max_epoch > warmup_epochs + no_aug_epochs:
        return
    warmup, no_aug = int(max_epoch > 1), int(max_epoch > 2)
    raise InputError(
        f"max_epoch {max_epoch} leaves no epoch between warmup_epochs {warmup_epochs} and"
        f" no_aug_epochs {no_aug_epochs}; add: warmup_epochs {warmup} no_aug_epochs {no_aug}"
    )


def describe_schedule(schedule: Schedule, lr_at: Callable[[int], float]) -> list[str]:
    """Return the stages of a run, a line each.

    Args:
        schedule: the epochs.
        lr_at: the learning rate after so many steps of the run, from 1 on.
    """
    last, steps = schedule.max_epoch, schedule.steps
    flat = last - schedule.no_aug_epochs
    edges = sorted({0, schedule.warmup_epochs, schedule.first_no_mosaic_epoch, flat, last})
    lines = [f"plan: {count(last, 'epoch')} of {count(steps, 'step')}: {last * steps}"]
    lines += [_stage(schedule, first, end, lr_at) for first, end in pairwise(edges)]
    return [*lines, _evaluations(schedule)]


def _stage(schedule: Schedule, first: int, end: int, lr_at: Callable[[int], float]) -> str:
    """Describe the epochs from `first` to `end`, counted from 0, `end` not included."""
    plain = first >= schedule.first_no_mosaic_epoch
    what = ["warm-up"] if first < schedule.warmup_epochs else []
    if schedule.mosaic:
        what.append("no mosaic" if plain else "mosaic")
    if plain:
        what.append("L1 loss")
    rates = f"{lr_at(first * schedule.steps + 1):.3g}", f"{lr_at(end * schedule.steps):.3g}"
    rate = rates[0] if rates[0] == rates[1] else " to ".join(rates)
    epochs = f"epoch {end}" if end == first + 1 else f"epochs {first + 1}-{end}"
    return f"  {epochs}: {', '.join([*what, f'learning rate {rate}'])}"


def _evaluations(schedule: Schedule) -> str:
    interval, plain = schedule.eval_interval, schedule.first_no_mosaic_epoch
    number = len(schedule.evaluated)
    when = "after every epoch"
    if number == 1:
        when = f"after epoch {schedule.max_epoch}"
    elif interval > 1 and plain:
        when = f"from epoch {plain + 1} on {when}"
        if plain >= interval:
            when = f"every {interval} epochs, {when}"
    return f"  {count(number, 'evaluation')}: {when}"

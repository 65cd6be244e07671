"""The plan of a run: which epoch warms up, loses mosaic, ends flat; and whether it can work."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

from yolox_attn.errors import InputError


@dataclass(frozen=True)
class Plan:
    """Epochs and steps of a run.

    Attributes:
        steps: steps of an epoch.
        eval_interval: epochs between two evaluations; 0: do not speak of them.
        mosaic: False: the experiment never uses it.
    """

    max_epoch: int
    warmup_epochs: int
    no_aug_epochs: int
    steps: int
    eval_interval: int = 0
    mosaic: bool = True

    @property
    def first_plain_epoch(self) -> int:
        """The first epoch without mosaic and with L1 loss, counted from 0.

        The host switches one epoch earlier than the name no_aug_epochs says, so that even with
        0 the last epoch is plain; what it calls no_aug_epochs is only the flat end of the
        learning rate. Kept: a run of ours is a run of the host's.
        """
        return max(self.max_epoch - self.no_aug_epochs - 1, 0)


def check_schedule(max_epoch: int, warmup_epochs: int, no_aug_epochs: int) -> None:
    """Refuse a schedule without an epoch between warm-up and end.

    In the host such a run falls from warm-up to its lowest learning rate, without mosaic, and
    says nothing.

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


def describe_plan(plan: Plan, lr_at: Callable[[int], float]) -> list[str]:
    """Return the stages of a run, a line each.

    Args:
        plan: the epochs.
        lr_at: the learning rate after so many steps of the run, from 1 on.
    """
    flat = plan.max_epoch - plan.no_aug_epochs
    edges = sorted({0, plan.warmup_epochs, plan.first_plain_epoch, flat, plan.max_epoch})
    total = plan.max_epoch * plan.steps
    lines = [f"plan: {_count(plan.max_epoch, 'epoch')} of {_count(plan.steps, 'step')}: {total}"]
    lines += [_stage(plan, first, end, lr_at) for first, end in pairwise(edges)]
    return lines + _evaluations(plan)


def _stage(plan: Plan, first: int, end: int, lr_at: Callable[[int], float]) -> str:
    """Tell the epochs from `first` to `end`, counted from 0, `end` not included."""
    plain = first >= plan.first_plain_epoch
    what = ["warm-up"] if first < plan.warmup_epochs else []
    if plan.mosaic:
        what.append("no mosaic" if plain else "mosaic")
    if plain:
        what.append("L1 loss")
    rates = f"{lr_at(first * plan.steps + 1):.3g}", f"{lr_at(end * plan.steps):.3g}"
    rate = rates[0] if rates[0] == rates[1] else " to ".join(rates)
    epochs = f"epoch {end}" if end == first + 1 else f"epochs {first + 1}-{end}"
    return f"  {epochs}: {', '.join([*what, f'learning rate {rate}'])}"


def _evaluations(plan: Plan) -> list[str]:
    if not plan.eval_interval:
        return []
    plain = plan.first_plain_epoch
    last = range(plain + 1, plan.max_epoch + 1)
    epochs = {*range(plan.eval_interval, plain + 1, plan.eval_interval), *last}
    every = f"  {_count(len(epochs), 'evaluation')}: "
    if len(epochs) == 1:
        return [f"{every}after epoch {plan.max_epoch}"]
    if plan.eval_interval > 1 and plain >= plan.eval_interval:
        every += f"every {plan.eval_interval} epochs, from epoch {plain + 1} on "
    elif plan.eval_interval > 1 and plain:
        every += f"from epoch {plain + 1} on "
    return [every + "after every epoch"]


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

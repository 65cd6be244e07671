from collections.abc import Callable
from typing import Any

import pytest
from yolox.core import Trainer
from yolox.utils import LRScheduler

from yolox_attn.core.schedule import Schedule, check_schedule, describe_schedule
from yolox_attn.errors import InputError


def rates(max_epoch: int, warmup: int, no_aug: int, steps: int) -> Callable[[int], float]:
    """YOLOX's default learning rate, 0.01 to 0.0005."""
    scheduler = LRScheduler(
        "yoloxwarmcos",
        0.01,
        steps,
        max_epoch,
        warmup_epochs=warmup,
        warmup_lr_start=0,
        no_aug_epochs=no_aug,
        min_lr_ratio=0.05,
    )
    rate: Callable[[int], float] = scheduler.update_lr
    return rate


class Switches:
    """The part of YOLOX's trainer that its `before_epoch` touches, and what it does there."""

    is_distributed = False

    def __init__(self, max_epoch: int, no_aug_epochs: int) -> None:
        self.max_epoch, self.exp = max_epoch, self
        self.no_aug_epochs, self.eval_interval = no_aug_epochs, 10
        self.no_aug = max_epoch <= no_aug_epochs
        self.train_loader = self.model = self.head = self
        self.use_l1 = False
        self.closed: list[int] = []

    def close_mosaic(self) -> None:
        self.closed.append(self.epoch)

    def save_ckpt(self, ckpt_name: str) -> None:
        pass

    def run(self) -> int:
        for epoch in range(self.max_epoch):
            self.epoch = epoch
            Trainer.before_epoch(self)  # type: ignore[arg-type]
        return self.closed[0]


@pytest.mark.parametrize(
    ("max_epoch", "no_aug"), [(300, 15), (3, 1), (1, 0), (5, 0), (2, 1), (4, 4)]
)
def test_mosaic_ends_where_yolox_ends_it(max_epoch: int, no_aug: int) -> None:
    schedule = Schedule(max_epoch, 0, no_aug, steps=10, eval_interval=10)
    assert schedule.first_no_mosaic_epoch == Switches(max_epoch, no_aug).run()


def test_a_schedule_that_fits_passes() -> None:
    for fits in ((300, 5, 15), (3, 1, 1), (2, 1, 0), (1, 0, 0)):
        check_schedule(*fits)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ((10, 5, 15), "warmup_epochs 1 no_aug_epochs 1"),
        ((3, 1, 2), "warmup_epochs 1 no_aug_epochs 1"),
        ((2, 1, 1), "warmup_epochs 1 no_aug_epochs 0"),
        ((1, 1, 0), "warmup_epochs 0 no_aug_epochs 0"),
        ((0, 0, 0), "max_epoch 0"),
        ((5, -1, 0), "warmup_epochs -1"),
        ((5, 0, -2), "no_aug_epochs -2"),
    ],
)
def test_one_that_does_not_is_refused_with_overrides_that_do(
    given: tuple[int, int, int], says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        check_schedule(*given)
    assert "\n" not in str(caught.value)
    advice = str(caught.value).partition("add: ")[2].split()
    if advice:
        check_schedule(given[0], int(advice[1]), int(advice[3]))


def test_a_run_is_described_stage_by_stage() -> None:
    schedule = Schedule(300, 5, 15, steps=100, eval_interval=10)
    assert describe_schedule(schedule, rates(300, 5, 15, 100)) == [
        "plan: 300 epochs of 100 steps: 30000",
        "  epochs 1-5: warm-up, mosaic, learning rate 4e-08 to 0.01",
        "  epochs 6-284: mosaic, learning rate 0.01 to 0.0005",
        "  epoch 285: no mosaic, L1 loss, learning rate 0.0005",
        "  epochs 286-300: no mosaic, L1 loss, learning rate 0.0005",
        "  44 evaluations: every 10 epochs, from epoch 285 on after every epoch",
    ]


def test_the_shortest_run() -> None:
    schedule = Schedule(1, 0, 0, steps=2, eval_interval=1, mosaic=False)
    assert describe_schedule(schedule, rates(1, 0, 0, 2)) == [
        "plan: 1 epoch of 2 steps: 2",
        "  epoch 1: L1 loss, learning rate 0.00525 to 0.0005",
        "  1 evaluation: after epoch 1",
    ]


@pytest.mark.parametrize("settings", [(30, 1, 1), (12, 5, 0), (3, 2, 0), (20, 0, 19), (7, 3, 3)])
def test_every_epoch_is_described_once(settings: tuple[int, int, int]) -> None:
    schedule = Schedule(*settings, steps=5, eval_interval=1)
    described: list[int] = []
    for line in describe_schedule(schedule, rates(*settings, 5))[1:-1]:
        ends: list[Any] = line.split(":")[0].split()[1].split("-")
        described += range(int(ends[0]), int(ends[-1]) + 1)
    assert described == list(range(1, settings[0] + 1))


@pytest.mark.parametrize(
    ("max_epoch", "no_aug", "interval", "evaluated", "says"),
    [
        (5, 1, 1, [1, 2, 3, 4, 5], "5 evaluations: after every epoch"),
        (5, 0, 10, [5], "1 evaluation: after epoch 5"),
        (5, 1, 9, [4, 5], "2 evaluations: from epoch 4 on after every epoch"),
        (10, 2, 3, [3, 6, 8, 9, 10], "5 evaluations: every 3 epochs, from epoch 8 on after every"),
        (3, 3, 2, [1, 2, 3], "3 evaluations: after every epoch"),
    ],
)
def test_every_interval_and_every_epoch_without_mosaic_ends_with_an_evaluation(
    max_epoch: int, no_aug: int, interval: int, evaluated: list[int], says: str
) -> None:
    schedule = Schedule(max_epoch, 0, no_aug, steps=3, eval_interval=interval)
    assert schedule.evaluated == evaluated
    assert says in describe_schedule(schedule, rates(max_epoch, 0, 0, 3))[-1]

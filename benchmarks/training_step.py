"""What exactness costs: the training step with and without it, and the time of a save.

    python benchmarks/training_step.py [--quick]

YOLOX-nano at 320, batches of 4 drawn images with mosaic and mixup. Both loops run in one process
on one model, learning rate 0 so that the work stays the same, and take turns of ten steps, the
first to go changing from round to round; a ratio is taken within each round. `exact` samples by
seed and counter, counts cut labels, checks each loss and the gradients; `plain` is YOLOX's
sampler over the same data set, nothing checked (what loading costs is mosaic.py's). Wall time and,
without workers, the process's CPU time, which other work on the machine disturbs less.
"""

import argparse
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from yolox_attn.machine import set_wait_policy

set_wait_policy()  # before torch is imported

import torch
from loguru import logger
from torch import nn
from yolox.data import (
    DataLoader,
    InfiniteSampler,
    YoloBatchSampler,
)
from yolox.utils import ModelEMA

from yolox_attn.core.checkpoint import save_checkpoint
from yolox_attn.core.failures import finite_gradients, finite_losses, named_failures
from yolox_attn.data.drawn import drawn_set
from yolox_attn.data.sampler import ExactBatches
from yolox_attn.exp import AttentionExp, use_data
from yolox_attn.exp.loader import load_exp
from yolox_attn.seed import seed_everything, seed_worker, stream

BATCH = 4
TURN = 10  # steps; more than the batches that workers fetch ahead, so that each turn pays its own
Step = Callable[[], None]
Times = tuple[list[float], list[float]]  # of the two sides, round by round


def experiment(folder: Path, workers: int, name: str = "yolox-nano") -> AttentionExp:
    """A published size at 320 on the drawn set."""
    exp = load_exp(name=name)
    use_data(exp, folder)
    exp.input_size, exp.data_num_workers, exp.seed = (320, 320), workers, 0
    exp.mosaic_prob, exp.enable_mixup = 1.0, True
    return exp


def plain_loader(exact: DataLoader) -> DataLoader:
    """The same images with the same augmentation, in an order and with draws of YOLOX's kind."""
    dataset = exact.dataset.dataset
    batches = YoloBatchSampler(InfiniteSampler(len(dataset)), BATCH, drop_last=False)
    return DataLoader(
        dataset,
        batch_sampler=batches,
        num_workers=exact.num_workers,
        worker_init_fn=seed_worker,
    )


class Trained:
    """A detector with optimiser and EMA, stepped from any loader."""

    def __init__(self, exp: AttentionExp) -> None:
        seed_everything(0)
        self.model: nn.Module = exp.get_model().to(memory_format=torch.channels_last).train()
        self.optimizer = exp.get_optimizer(BATCH)
        for group in self.optimizer.param_groups:
            group["lr"] = 0.0
        self.ema = ModelEMA(self.model, 0.9998)

    def learn(self, outputs: dict[str, Any]) -> None:
        """Take a step from the losses of a batch."""
        self.optimizer.zero_grad()
        outputs["total_loss"].backward()
        self.optimizer.step()
        self.ema.update(self.model)

    def plain_step(self, batches: Iterator[Any]) -> None:
        """YOLOX's step."""
        images, labels, *_ = next(batches)
        self.learn(self.model(images.contiguous(memory_format=torch.channels_last), labels))

    def exact_step(self, batches: Iterator[Any]) -> None:
        """The same, with what the package checks."""
        images, labels, *_, cut = next(batches)
        int(cut.sum())
        self.optimizer.zero_grad()
        with named_failures(self.model, "benchmark", "a batch"):
            outputs = self.model(images.contiguous(memory_format=torch.channels_last), labels)
            finite_losses(outputs, "benchmark", list)
            outputs["total_loss"].backward()
        groups = self.optimizer.param_groups
        parameters = (each for group in groups for each in group["params"])
        finite_gradients(parameters, {}, "benchmark", list)
        self.optimizer.step()
        self.ema.update(self.model)


def take_turns(
    sides: tuple[Step, Step], rounds: int, clock: list[Callable[[], float]]
) -> list[Times]:
    """Return the seconds of each round, one pair of lists a clock."""
    times: list[Times] = [([], []) for _ in clock]
    for number in range(rounds + 1):
        for side in (0, 1) if number % 2 else (1, 0):
            before = [read() for read in clock]
            sides[side]()
            if number:  # the first round warms up
                for one, read, start in zip(times, clock, before, strict=True):
                    one[side].append(read() - start)
    return times


def row(name: str, times: Times, per: int = 1) -> str:
    """A row: medians in ms, and the median ratio with its middle half and its range."""
    ratios = sorted(first / second for first, second in zip(*times, strict=True))
    low, middle, high = statistics.quantiles(ratios, n=4)
    first, second = (1e3 * statistics.median(side) / per for side in times)
    spread = f"{middle:.3f} ({low:.3f}..{high:.3f}) [{ratios[0]:.3f}..{ratios[-1]:.3f}]"
    return f"| {name} | {first:.1f} ms | {second:.1f} ms | {spread} |"


def step_rows(folder: Path, workers: int, rounds: int) -> list[str]:
    """Exact against plain steps, with so many loading workers."""
    exp = experiment(folder, workers)
    trained = Trained(exp)
    loader = exp.get_data_loader(BATCH, is_distributed=False)
    exact, plain = iter(loader), iter(plain_loader(loader))

    def turn(step: Callable[[Iterator[Any]], None], batches: Iterator[Any]) -> Step:
        def steps() -> None:
            for _ in range(TURN):
                step(batches)

        return steps

    sides = turn(trained.exact_step, exact), turn(trained.plain_step, plain)
    clocks = [time.perf_counter] if workers else [time.perf_counter, time.process_time]
    measured = take_turns(sides, rounds, clocks)
    names = [f"{workers} workers, wall", f"{workers} workers, CPU"]
    return [row(name, times, TURN) for name, times in zip(names, measured, strict=False)]


def parts_of_a_step(size: int = 100_000) -> list[str]:
    """What is added to a step, each part alone: steadier than the difference of two loops."""
    batches, stock = ExactBatches(size, BATCH, seed=0), iter(InfiniteSampler(size))
    losses = {"total_loss": torch.ones((), requires_grad=True).sum()}
    parameters = list(load_exp(name="yolox-nano").get_model().parameters())
    for parameter in parameters:
        parameter.grad = torch.zeros_like(parameter)

    def samples(number: int) -> None:
        for counter in range(BATCH):
            with stream(0, "sample", BATCH * number + counter):
                pass

    parts: dict[str, Callable[[int], Any]] = {
        "streams of the samples": samples,
        "addresses of the batch": batches.batch,
        "YOLOX's addresses": lambda _: [next(stock) for _ in range(BATCH)],
        "check of the loss": lambda _: finite_losses(losses, "benchmark", list),
        "check of the gradients": lambda _: finite_gradients(parameters, {}, "benchmark", list),
    }
    return [f"| {name} | {microseconds(part):.0f} us |" for name, part in parts.items()]


def microseconds(part: Callable[[int], Any], times: int = 2000) -> float:
    """Return the median of a function's times; the first call, which shuffles, is left out."""
    part(0)
    taken = []
    for number in range(1, times):
        start = time.perf_counter()
        part(number)
        taken.append(time.perf_counter() - start)
    return 1e6 * statistics.median(taken)


def save_row(name: str, folder: Path, scratch: Path, rounds: int) -> str:
    """A save that survives a kill, its predecessor kept, against torch.save in place."""
    trained = Trained(experiment(folder, 0, name))
    for parameter in trained.model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    trained.optimizer.step()  # fills the momentum
    state = {
        "model": trained.ema.ema.state_dict(),
        "weights": trained.model.state_dict(),
        "optimizer": trained.optimizer.state_dict(),
    }
    ours, theirs = scratch / "latest_ckpt.pth", scratch / "plain.pth"
    sides = (
        lambda: save_checkpoint(state, ours, previous=scratch / "previous_ckpt.pth"),
        lambda: torch.save(state, theirs),
    )
    (times,) = take_turns(sides, rounds, [time.perf_counter])
    return row(f"{name}, {ours.stat().st_size / 1e6:.0f} MB", times)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--quick", action="store_true", help="few rounds: does it run at all")
    rounds = 2 if parser.parse_args().quick else 20
    logger.remove()
    warnings.filterwarnings("ignore", category=FutureWarning)  # YOLOX's, at every first step
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {rounds} rounds")
    with tempfile.TemporaryDirectory() as scratch:
        folder = drawn_set(Path(scratch), train_images=32, val_images=1, size=320)
        print("\nA training step: median, ratio (middle half) [range]\n")
        print("| loading | exact | plain | exact / plain |\n| --- | --- | --- | --- |")
        for workers in (0, 2):
            print("\n".join(step_rows(folder, workers, rounds)), flush=True)
        print(
            f"\nParts of an exact step, {BATCH} images of 100,000\n\n| part | time |\n| --- | --- |"
        )
        print("\n".join(parts_of_a_step()))
        print("\nA save: checked, atomic, on disk, predecessor kept; against torch.save in place\n")
        print("| checkpoint | package | torch.save | ratio |\n| --- | --- | --- | --- |")
        for name in ("yolox-nano", "yolox-s"):
            print(save_row(name, folder, Path(scratch), rounds), flush=True)


if __name__ == "__main__":
    main()

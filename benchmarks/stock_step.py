"""The training step against YOLOX's own loop, put on this device and otherwise left as it is.

    python benchmarks/stock_step.py [--sizes nano s] [--inputs 320 416 640] [--batch N] [--json F]

`port` is what a user writes who takes YOLOX's step and drops `.cuda()`: stock model, stock
optimiser and average, contiguous memory. `ours` is `AttentionTrainer.train_one_iter` with attention
none, with its checks. Both get the same batches of drawn images with mosaic, ready in memory, and
take turns in one process on the same threads; a ratio is taken within each round. The learning rate
is next to 0, so that the work stays the same. Beside them, in the same rounds, the convolutions of
a step and nothing else, channels_last, forward and back: no step that has them can be faster.
"""

import argparse
import json
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from yolox_attn.machine import set_wait_policy

set_wait_policy()  # before torch is imported

import torch
from loguru import logger
from tabulate import tabulate
from torch import Tensor, nn
from yolox.exp import get_exp
from yolox.utils import ModelEMA

from yolox_attn.core.batches import Batch, Batches
from yolox_attn.core.options import TrainOptions
from yolox_attn.core.trainer import AttentionTrainer
from yolox_attn.data.drawn import drawn_set
from yolox_attn.device import fix_threads
from yolox_attn.exp import load_exp, use_data
from yolox_attn.seed import seed_everything

BATCHES = 3  # different ones, in turn
HEADS = ["detector", "input", "batch", "port, ms", "ours, ms", "times as fast"]
HEADS += ["port bf16, ms", "ours bf16, ms", "against port", "against port bf16"]
HEADS += ["port / convolutions", "port / bf16 convolutions"]
Step = Callable[[], Any]


def our_step(size: str, pixels: int, batch: int, data: Path, precision: str) -> AttentionTrainer:
    """Return a trainer that stands before its first step, with its batches in memory."""
    exp = load_exp(name=f"yolox-{size}")
    use_data(exp, data)
    exp.input_size = exp.test_size = (pixels, pixels)
    exp.data_num_workers, exp.seed, exp.basic_lr_per_img = 0, 0, 1e-12
    exp.mosaic_prob, exp.warmup_epochs, exp.max_epoch, exp.no_aug_epochs = 1.0, 0, 1, 0
    options = TrainOptions(experiment_name="benchmark", batch_size=batch, precision=precision,
                           device="cpu", logger="none", skip_doctor=True)  # fmt: skip
    exp.output_dir = str(data.parent / "runs")
    trainer = AttentionTrainer(exp, options)
    trainer.before_train()
    trainer.epoch, trainer.iter = 0, 0
    return trainer


class Repeated(Batches):
    """The same few batches again and again, in the place of the trainer's."""

    def __init__(self, trainer: AttentionTrainer) -> None:
        super().__init__(trainer.train_loader, trainer.device)
        self.batches = super().take(BATCHES)
        self.round = 0

    def take(self, count: int = 1) -> list[Batch]:
        """Return the round's."""
        return [self.batches[self.round % BATCHES]]


class Port:
    """YOLOX's step on a CPU."""

    def __init__(self, size: str, classes: int, batches: Repeated, precision: str) -> None:
        exp = get_exp(exp_name=f"yolox-{size}")
        exp.num_classes, exp.basic_lr_per_img = classes, 1e-12
        seed_everything(0)
        self.model = exp.get_model().train()
        self.optimizer = exp.get_optimizer(1)
        self.ema = ModelEMA(self.model, 0.9998)
        self.batches = batches
        self.reduced = precision == "bf16"

    def step(self) -> None:
        """Train on the next batch."""
        ((images, labels, _),) = self.batches.take()
        images, labels = images.float(), labels.float()
        with torch.autocast("cpu", torch.bfloat16, enabled=self.reduced):
            loss = self.model(images, labels)["total_loss"]
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.ema.update(self.model)


class Convolutions:
    """The convolutions of a step alone."""

    def __init__(self, size: str, classes: int, batches: Repeated, precision: str) -> None:
        exp = get_exp(exp_name=f"yolox-{size}")
        exp.num_classes = classes
        model = exp.get_model().eval().to(memory_format=torch.channels_last)
        self.reduced = precision == "bf16"
        self.calls: list[tuple[nn.Module, Tensor, Tensor]] = []
        for module in model.modules():
            if isinstance(module, nn.Conv2d):
                module.register_forward_hook(self.note)
        ((images, *_),) = batches.take()
        with torch.no_grad(), self.precision():
            model(images.float().contiguous(memory_format=torch.channels_last))
        for module in model.modules():
            module._forward_hooks.clear()
        self.calls[0][1].requires_grad = False  # nobody asks for the gradient of the images

    def precision(self) -> torch.autocast:
        """Return the autocast of a step."""
        return torch.autocast("cpu", torch.bfloat16, enabled=self.reduced)

    def note(self, module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        """Keep what a convolution was given, and something of its output's kind."""
        self.calls.append((module, inputs[0].clone().requires_grad_(), torch.randn_like(output)))

    def step(self) -> None:
        """Every convolution forward, and back to its input and its weights."""
        for module, x, upstream in self.calls:
            module.zero_grad()
            x.grad = None
            with self.precision():
                y = module(x)
            y.backward(upstream)


def measure(size: str, pixels: int, batch: int, data: Path, rounds: int) -> dict[str, Any]:
    """Return the seconds of each form, round by round."""
    forms: dict[str, Step] = {}
    every = []
    for precision in ("fp32", "bf16"):
        trainer = our_step(size, pixels, batch, data, precision)
        batches = Repeated(trainer)
        trainer.prefetcher = batches
        every.append(batches)
        forms[f"ours {precision}"] = trainer.train_one_iter
        given = size, trainer.exp.num_classes, batches, precision
        forms[f"port {precision}"] = Port(*given).step
        forms[f"convolutions {precision}"] = Convolutions(*given).step
    times: dict[str, list[float]] = {name: [] for name in forms}
    for number in range(rounds + 1):
        for batches in every:
            batches.round = number
        for name in list(forms)[:: 1 if number % 2 else -1]:
            start = time.perf_counter()
            forms[name]()
            if number:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    return {"size": size, "input": pixels, "batch": batch, "seconds": times}


def row(result: dict[str, Any]) -> list[str]:
    """Return a line of the table: medians, and median ratios with their ranges."""
    times = result["seconds"]

    def ms(form: str) -> str:
        return f"{1e3 * statistics.median(times[form]):.0f}"

    def ratio(form: str, ours: str) -> str:
        each = [a / b for a, b in zip(times[form], times[ours], strict=True)]
        return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"

    return [
        *(f"yolox-{result['size']}", str(result["input"]), str(result["batch"])),
        *(ms("port fp32"), ms("ours fp32"), ratio("port fp32", "ours fp32")),
        *(ms("port bf16"), ms("ours bf16")),
        *(ratio("port fp32", "ours bf16"), ratio("port bf16", "ours bf16")),
        *(ratio("port fp32", "convolutions fp32"), ratio("port fp32", "convolutions bf16")),
    ]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--sizes", nargs="+", default=["nano", "s"], metavar="SIZE")
    parser.add_argument("--inputs", nargs="+", type=int, default=[320, 416, 640], metavar="PIXELS")
    parser.add_argument("--batch", type=int, default=4, metavar="N", help="default 4")
    parser.add_argument("--rounds", type=int, default=7, metavar="N", help="default 7")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the same, as JSON")
    args = parser.parse_args()
    logger.remove()
    warnings.filterwarnings("ignore", category=FutureWarning)  # YOLOX's, at every first step
    print(f"torch {torch.__version__}, {fix_threads()} threads, {args.rounds} rounds", flush=True)
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        data = drawn_set(Path(scratch, "data"), train_images=32, val_images=1, size=320)
        for size in args.sizes:
            for pixels in args.inputs:
                results.append(measure(size, pixels, args.batch, data, args.rounds))
                print(*row(results[-1]), sep=" | ", flush=True)
    print("\n" + tabulate(map(row, results), HEADS, tablefmt="pipe", disable_numparse=True))
    if args.json:
        args.json.write_text(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()

"""The package's blocks and the tutorials' algorithms: memory, FLOPs, time of a training step.

    python benchmarks/blocks.py [--repeats 15]

Prints four Markdown tables. Both forms of a block run in one process and take turns, the first to
go changing from round to round; a ratio is taken within each round, so that a machine that slows
down for a while slows both sides of it.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # before torch starts its threads

import torch
import tutorial_forms
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from yolox_attn.blocks import create_attention

OPTIONS: dict[str, dict[str, object]] = {
    "acmix": {},
    "drconv": {},
    "drconv, 3x3 kernels": {"kernel_size": 3},
    "attnconv": {"window_size": 5},  # divides 40 and 20: the tutorials' form needs that
}
STEPS = (  # name, channels, side of the map, images
    ("acmix", 128, 40, 1),
    ("acmix", 256, 40, 4),
    ("acmix", 512, 20, 4),
    ("drconv", 128, 40, 1),
    ("drconv", 256, 40, 4),
    ("drconv, 3x3 kernels", 128, 40, 1),
    ("attnconv", 128, 40, 1),
    ("attnconv", 256, 40, 4),
)
Form = Callable[[Tensor], Tensor]


def two_forms(name: str, channels: int) -> tuple[nn.Module, Form]:
    """The package's block, and the tutorials' algorithm on the same parameters."""
    torch.manual_seed(0)
    kind = name.split(",")[0]
    block = create_attention(kind, channels, **OPTIONS[name])
    algorithm = getattr(tutorial_forms, kind)
    return block, lambda x: algorithm(block, x)


def kept_bytes(form: Form, x: Tensor) -> int:
    """Bytes that autograd keeps between forward and backward, each storage once."""
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        y = form(x)
    del y
    return sum(storages.values())


def memory_table() -> list[str]:
    """What a training step keeps, block by block."""
    rows = ["| block | this package | tutorials' algorithm | ratio |", "| --- | --- | --- | --- |"]
    for name in OPTIONS:
        x = torch.randn(1, 128, 40, 40, requires_grad=True)
        ours, theirs = (kept_bytes(form, x) / 2**20 for form in two_forms(name, 128))
        rows.append(f"| {name} | {ours:.1f} MiB | {theirs:.1f} MiB | {ours / theirs:.2f} |")
    return rows


def count_flops(form: Form, x: Tensor) -> int:
    """FLOPs of one forward pass without gradients, as torch counts them."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        form(x)
    return int(counter.get_total_flops())


def flops_table() -> list[str]:
    """What DRConv saves where nothing learns."""
    rows = [
        "| block | channels | chosen region only | all regions | ratio | 1.5 / R |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in ("drconv", "drconv, 3x3 kernels"):
        for channels in (128, 256):
            block, dense = two_forms(name, channels)
            x = torch.randn(1, channels, 40, 40)
            few, many = (count_flops(form, x) / 1e9 for form in (block, dense))
            rows.append(
                f"| {name} | {channels} | {few:.3f} GFLOP | {many:.3f} GFLOP | {few / many:.3f} | "
                f"{1.5 / block.region_num:.3f} |"
            )
    return rows


def seconds(form: Form, x: Tensor, upstream: Tensor | None) -> float:
    """Time of a forward pass, and of the backward pass if there is something to pass back."""
    x = x.detach().requires_grad_(upstream is not None)
    start = time.perf_counter()
    y = form(x)
    if upstream is not None:
        y.backward(upstream)
    return time.perf_counter() - start


def take_turns(forms: tuple[Form, Form], x: Tensor, repeats: int, *, learning: bool) -> str:
    """One row's cells: median times of both forms, and the ratio with its spread."""
    upstream = torch.randn_like(forms[0](x)) if learning else None
    times: tuple[list[float], list[float]] = ([], [])
    with torch.set_grad_enabled(learning):
        for number in range(repeats + 2):
            for side in (0, 1) if number % 2 else (1, 0):
                elapsed = seconds(forms[side], x, upstream)
                if number >= 2:  # the first two rounds warm up
                    times[side].append(elapsed)
    ratios = [ours / theirs for ours, theirs in zip(*times, strict=True)]
    ours, theirs = (1e3 * statistics.median(side) for side in times)
    spread = f"{statistics.median(ratios):.2f} [{min(ratios):.2f}..{max(ratios):.2f}]"
    return f"{ours:.1f} ms | {theirs:.1f} ms | {spread}"


def time_table(repeats: int, *, learning: bool) -> list[str]:
    """Times of both forms at every size of STEPS."""
    rows = [
        "| block | input | this package | tutorials' algorithm | ratio |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, channels, side, images in STEPS:
        forms, x = two_forms(name, channels), torch.randn(images, channels, side, side)
        check_same(forms, x)
        cells = take_turns(forms, x, repeats, learning=learning)
        rows.append(f"| {name} | {images} x {channels} x {side} x {side} | {cells} |")
    return rows


def check_same(forms: tuple[Form, Form], x: Tensor) -> None:
    """A faster wrong answer is no result."""
    with torch.no_grad():
        ours, theirs = (form(x) for form in forms)
    error = ((ours - theirs).abs().max() / theirs.abs().max()).item()
    if error > 1e-4:
        raise SystemExit(f"the two forms differ by {error:.1e} of the largest value")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--repeats", type=int, default=15, help="rounds of each timing")
    repeats = parser.parse_args().repeats
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, {repeats} rounds")
    print("\nKept for the backward pass, 1 x 128 x 40 x 40, float32\n")
    print("\n".join(memory_table()))
    print("\nFLOPs of drconv without gradients, 40 x 40\n")
    print("\n".join(flops_table()))
    print("\nForward and backward, float32\n")
    print("\n".join(time_table(repeats, learning=True)))
    print("\nForward without gradients, float32\n")
    print("\n".join(time_table(repeats, learning=False)))


if __name__ == "__main__":
    main()

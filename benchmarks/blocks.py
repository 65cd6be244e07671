"""Each block next to the form that tutorials give it: a training step, inference, memory kept.

    python benchmarks/blocks.py [--batch 1] [--blocks cam ...] [--rounds 7] [--json FILE]

The maps are those of yolox-s at 640, 80 x 80 x 128, 40 x 40 x 256 and 20 x 20 x 512; every figure
is the sum over the three, in float32, contiguous and channels_last. Both forms have the same
parameters, are checked to give the same values and gradients, run in one process and take turns,
the first to go changing from round to round; a ratio is taken within each round, so that a machine
that slows down for a while slows both sides of it. Above 1 this package is faster. Next to them,
in the same rounds: a 3 x 3 convolution, AttnConv's own convolutions alone, and, of our form,
bfloat16 by autocast, of bfloat16 maps.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from yolox_attn.machine import set_wait_policy

set_wait_policy()  # before torch is imported

import torch
import tutorial_forms
import tutorial_gates
from tabulate import tabulate
from torch import Tensor, nn

from yolox_attn.blocks import create_attention

MAPS = ((128, 80), (256, 40), (512, 20))  # channels, side
BLOCKS: dict[str, tuple[str, dict[str, object]]] = {
    "se": ("se", {}),
    "eca": ("eca", {}),
    "cam": ("cam", {}),
    "cbam": ("cbam", {}),
    "acmix": ("acmix", {}),
    "drconv": ("drconv", {}),
    "drconv, 3x3": ("drconv", {"kernel_size": 3}),
    "attnconv": ("attnconv", {"window_size": 4}),  # divides all sides: the tutorials' form needs it
}
LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
Form = Callable[[Tensor], Tensor]
Times = dict[str, list[float]]


class OwnConvolutions(nn.Module):
    """The convolutions of AttnConv and nothing between them."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        block: Any = self.block
        parts = []
        for qkv, conv, act in zip(block.qkvs, block.convs, block.act_blocks, strict=True):
            first, _, second = act.act_block
            q, *_ = conv(qkv(x)).chunk(3, dim=1)
            parts.append(second(first(q)))
        pooled = nn.functional.avg_pool2d(x, block.window_size)
        parts.append(block.global_q(x) + block.global_kv(pooled).sum())
        projected: Tensor = block.proj(torch.cat(parts, dim=1))
        return projected


def forms_of(name: str) -> tuple[dict[str, list[Form]], list[nn.Module]]:
    """Return name -> one form a map, and the blocks whose parameters they have."""
    kind, options = BLOCKS[name]
    torch.manual_seed(0)
    blocks = [create_attention(kind, channels, **options) for channels, _ in MAPS]
    tutorial = getattr(tutorial_gates, kind, None) or getattr(tutorial_forms, kind)
    convolutions = [nn.Conv2d(channels, channels, 3, padding=1) for channels, _ in MAPS]
    forms: dict[str, list[Form]] = {
        "ours": list(blocks),
        "tutorial": [partial(tutorial, block) for block in blocks],
        "3x3 convolution": list(convolutions),
        "bfloat16": [partial(in_bfloat16, block) for block in blocks],
    }
    if kind == "attnconv":
        forms["own convolutions"] = [OwnConvolutions(block) for block in blocks]
    return forms, [*blocks, *convolutions]


def in_bfloat16(block: nn.Module, x: Tensor) -> Tensor:
    """Return what autocast makes of the block."""
    with torch.autocast("cpu", torch.bfloat16):
        y: Tensor = block(x)
        return y


def kept_bytes(form: Form, x: Tensor, owners: Sequence[nn.Module]) -> int:
    """Bytes that autograd keeps between forward and backward, each storage once; no parameters."""
    own = {p.untyped_storage().data_ptr() for owner in owners for p in owner.parameters()}
    storages: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        y = form(x)
    del y
    return sum(storages.values())


def seconds(form: Form, x: Tensor, upstream: Tensor | None) -> float:
    """Time of a forward pass, and of the backward pass if there is something to pass back."""
    x = x.detach().requires_grad_(upstream is not None)
    start = time.perf_counter()
    with torch.set_grad_enabled(upstream is not None):
        y = form(x)
        if upstream is not None:
            y.backward(upstream)
    return time.perf_counter() - start


def take_turns(
    forms: dict[str, list[Form]], owners: list[nn.Module], inputs: list[Tensor], rounds: int,
    *, learning: bool,
) -> Times:  # fmt: skip
    """Return the seconds of each form in each round, over all maps; a first round warms up."""
    given = {name: [x.bfloat16() if name == "bfloat16" else x for x in inputs] for name in forms}
    upstreams = {name: [torch.randn_like(x) for x in xs] for name, xs in given.items()}
    times: Times = {name: [] for name in forms}
    for number in range(rounds + 1):
        names = list(forms) if number % 2 else list(forms)[::-1]
        for name in names:
            total = 0.0
            for form, x, upstream in zip(forms[name], given[name], upstreams[name], strict=True):
                for owner in owners:
                    owner.zero_grad(set_to_none=True)
                total += seconds(form, x, upstream if learning else None)
            if number:
                times[name].append(total)
    return times


def check_same(forms: dict[str, list[Form]], inputs: list[Tensor]) -> None:
    """A faster wrong answer is no result."""
    for ours, theirs, x in zip(forms["ours"], forms["tutorial"], inputs, strict=True):
        results = []
        for form in (ours, theirs):
            own = x.detach().requires_grad_()
            y = form(own)
            y.backward(torch.ones_like(y))
            results.append((y.detach(), own.grad))
        for a, b in zip(*results, strict=True):
            error = ((a - b).abs().max() / b.abs().max()).item()
            if not error < 1e-3:
                raise SystemExit(f"the two forms differ by {error:.1e} of the largest value")


def ratio(above: Sequence[float], below: Sequence[float]) -> str:
    """Return median and range of the rounds' ratios."""
    ratios = [a / b for a, b in zip(above, below, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def measure(name: str, batch: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each layout: the seconds of every form, and what ours and theirs keep."""
    rows = []
    forms, owners = forms_of(name)
    for layout, memory in LAYOUTS.items():
        inputs = [torch.randn(batch, c, s, s).contiguous(memory_format=memory) for c, s in MAPS]
        check_same(forms, inputs)
        kept = {
            side: sum(
                kept_bytes(form, x.detach().requires_grad_(), owners)
                for form, x in zip(forms[side], inputs, strict=True)
            )
            for side in ("ours", "tutorial")
        }
        timed = {
            mode: take_turns(forms, owners, inputs, rounds, learning=mode == "step")
            for mode in ("step", "inference")
        }
        rows.append({"block": name, "layout": layout, "batch": batch, "kept": kept, **timed})
        print(f"{name}, {layout}: done", file=sys.stderr)
    return rows


def cells(row: dict[str, Any]) -> list[str]:
    """Return a line of the table."""
    step, inference, kept = row["step"], row["inference"], row["kept"]
    ours, theirs = (1e3 * statistics.median(step[side]) for side in ("ours", "tutorial"))
    return [
        row["block"],
        row["layout"],
        f"{theirs:.1f} / {ours:.1f}",
        ratio(step["tutorial"], step["ours"]),
        ratio(inference["tutorial"], inference["ours"]),
        f"{kept['tutorial'] / 2**20:.1f} / {kept['ours'] / 2**20:.1f}",
        ratio(step["ours"], step["3x3 convolution"]),
        ratio(step["ours"], step["bfloat16"]),
    ]


def arguments(description: str | None) -> argparse.Namespace:
    """Return what the command line says; limits.py has the same flags."""
    parser = argparse.ArgumentParser(description=(description or "").split("\n")[0])
    parser.add_argument("--batch", type=int, default=1, metavar="N")
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=list(BLOCKS), metavar="B")
    parser.add_argument("--rounds", type=int, default=7, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all rounds there")
    return parser.parse_args()


def main() -> int:
    """Measure and print."""
    args = arguments(__doc__)
    threads = torch.get_num_threads()
    print(f"torch {torch.__version__}, {threads} threads, {args.rounds} rounds, batch {args.batch}")
    rows = [row for name in args.blocks for row in measure(name, args.batch, args.rounds)]
    heads = [
        *("block", "layout", "step: tutorial / ours, ms", "step, times as fast", "inference"),
        *(
            "kept: tutorial / ours, MiB",
            "our step / a 3x3 convolution's",
            "bfloat16, times as fast",
        ),
    ]
    print(tabulate([cells(row) for row in rows], heads, tablefmt="pipe", disable_numparse=True))
    for row in rows:
        if own := row["step"].get("own convolutions"):
            steps = ratio(row["step"]["ours"], own)
            print(f"attnconv, {row['layout']}: step / its own convolutions alone: {steps}")
    if args.json is not None:
        args.json.write_text(json.dumps(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

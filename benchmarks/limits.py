"""What each block must at least multiply, read and write, and how near its time comes to that.

    python benchmarks/limits.py [--batch 1] [--blocks cam ...] [--rounds 7] [--json FILE]

An estimate from below: products as the formula has them (no Winograd), and the maps that any form
must read and write: a mean over the map has to be known before the map can be weighted by it, so
weighting takes two readings. Everything in between is thought to stay in registers, and products to
hide behind memory or memory behind products, whichever is longer. The rates are the fastest of this
process: of a matrix product of 1024 x 1024, and of doubling a map into memory at hand, a reading
and a writing. That a form could be written that takes so little is not said. Maps, forms and turns
as in blocks.py.
"""

import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import blocks  # first: it says how threads wait
import torch
from tabulate import tabulate

SIDE = 1024  # of the matrices of the product that gives the rate
HEADS = ["block", "layout", "mode", "GFLOP", "MB", "limit, ms", "tutorial / limit", "ours / limit"]


@dataclass(frozen=True)
class Work:
    """Of one image and map.

    Args:
        flop: of the products.
        reads, writes: how often the map is read and written.
        weights: how many the block has, where they count; passes: how often these are.
    """

    flop: float = 0
    reads: int = 0
    writes: int = 0
    weights: int = 0
    passes: int = 0


def gate(channels: int, pixels: int, *, learning: bool) -> Work:
    """SE, ECA, CAM: read, then weight. Back: slopes of x and the upstream, then its weighting."""
    return Work(reads=5, writes=2) if learning else Work(reads=2, writes=1)


def cbam(channels: int, pixels: int, *, learning: bool) -> Work:
    """As `gate`, with a second gate that asks for the map weighted by the first.

    Back: x and the upstream give the second gate's slopes and what of the first one's does not pass
    through the second; then x alone; then the upstream is weighted.
    """
    return Work(reads=7, writes=2) if learning else Work(reads=3, writes=1)


def drconv(channels: int, pixels: int, *, learning: bool, side: int, regions: int = 8) -> Work:
    """Guide and generated kernels three times, the map's product 2 + R times, of R regions.

    The gradient of the choice asks what every region would have answered; the chosen one has.
    """
    guide = 2 * regions * channels * side**2 * pixels
    weights = (regions * channels) ** 2  # of the generator
    kernels = 2 * weights * side**2
    product = 2 * channels**2 * side**2 * pixels
    if not learning:
        return Work(guide + kernels + product, 2, 1, weights, passes=1)
    return Work(3 * (guide + kernels) + (2 + regions) * product, 5, 2, weights, passes=3)


def acmix(channels: int, pixels: int, *, learning: bool) -> Work:
    """Three projections; logits and sums of 49 keys; 12 maps of 9 taps a channel, fc merged."""
    flop = channels * pixels * (2 * 3 * channels + 4 * 49 + 2 * 12 * 9)
    return Work(3 * flop, reads=3, writes=2) if learning else Work(flop, reads=1, writes=1)


def attnconv(channels: int, pixels: int, *, learning: bool, window: int = 4) -> Work:
    """1 x 1 maps, the depthwise 5 x 5 one, attention from every pixel to every window."""
    half, keys = channels // 2, pixels // window**2
    local = 2 * channels * 3 * half + 2 * 25 * 3 * half + 2 * 2 * half**2
    ahead = 2 * channels * half * (1 + 2 / window**2) + 4 * half * keys
    flop = pixels * (local + ahead + 2 * channels**2)
    return Work(3 * flop, reads=5, writes=2) if learning else Work(flop, reads=2, writes=1)


WORK: dict[str, Callable[..., Work]] = {
    "se": gate,
    "eca": gate,
    "cam": gate,
    "cbam": cbam,
    "acmix": acmix,
    "drconv": partial(drconv, side=1),
    "drconv, 3x3": partial(drconv, side=3),
    "attnconv": attnconv,
}


def fastest(action: Callable[[], Any], tries: int = 50) -> float:
    """Return the seconds of the fastest try."""
    times = []
    for _ in range(tries):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return min(times)


@cache
def product_rate() -> float:
    """FLOP a second."""
    a, b = torch.randn(2, SIDE, SIDE)
    out = torch.empty(SIDE, SIDE)
    return 2 * SIDE**3 / fastest(lambda: torch.mm(a, b, out=out))


@cache
def byte_rate(size: int) -> float:
    """Bytes a second, read or written, of a tensor of `size` bytes."""
    x = torch.randn(size // 4)
    out = torch.empty_like(x)
    return 2 * 4 * len(x) / fastest(lambda: torch.mul(x, 2, out=out))


def limit(name: str, batch: int, *, learning: bool) -> dict[str, float]:
    """Return least FLOP, bytes and seconds, summed over the maps."""
    total = {"flop": 0.0, "bytes": 0.0, "seconds": 0.0}
    for channels, side in blocks.MAPS:
        work = WORK[name](channels, side**2, learning=learning)
        of_map = 4 * batch * channels * side**2
        moved = (work.reads + work.writes) * of_map
        passing = moved / byte_rate(of_map)
        if work.passes:
            moved += work.passes * 4 * work.weights
            passing += work.passes * 4 * work.weights / byte_rate(4 * work.weights)
        total["flop"] += batch * work.flop
        total["bytes"] += moved
        total["seconds"] += max(passing, batch * work.flop / product_rate())
    return total


def rows_of(name: str, batch: int, rounds: int) -> list[dict[str, Any]]:
    """Return a row for each layout and mode."""
    rows = []
    forms, owners = blocks.forms_of(name)
    sides = {side: forms[side] for side in ("ours", "tutorial")}
    for layout, memory in blocks.LAYOUTS.items():
        inputs = [
            torch.randn(batch, c, s, s).contiguous(memory_format=memory) for c, s in blocks.MAPS
        ]
        for mode in ("step", "inference"):
            learning = mode == "step"
            times = blocks.take_turns(sides, owners, inputs, rounds, learning=learning)
            least = limit(name, batch, learning=learning)
            rows.append({"block": name, "layout": layout, "mode": mode, **least, "times": times})
    print(f"{name}: done", file=sys.stderr)
    return rows


def cells(row: dict[str, Any]) -> list[str]:
    """Return a line of the table."""
    least = row["seconds"]
    near = {side: statistics.median(times) / least for side, times in row["times"].items()}
    return [
        *(row["block"], row["layout"], row["mode"]),
        *(f"{row['flop'] / 1e9:.2f}", f"{row['bytes'] / 1e6:.0f}", f"{1e3 * least:.2f}"),
        *(f"{near['tutorial']:.1f}", f"{near['ours']:.1f}"),
    ]


def main() -> int:
    """Measure and print."""
    args = blocks.arguments(__doc__)
    sizes = [4 * args.batch * channels * side**2 for channels, side in blocks.MAPS]
    rates = ", ".join(f"{s / 1e6:.1f} MB {byte_rate(s) / 1e9:.0f} GB/s" for s in sizes)
    print(f"{torch.get_num_threads()} threads: {product_rate() / 1e9:.0f} GFLOP/s; {rates}")
    rows = [row for name in args.blocks for row in rows_of(name, args.batch, args.rounds)]
    print(tabulate(map(cells, rows), HEADS, tablefmt="pipe", disable_numparse=True))
    if args.json is not None:
        args.json.write_text(json.dumps(rows), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

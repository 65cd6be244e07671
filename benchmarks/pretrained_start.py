"""What a block that nobody has trained yet does to a pretrained detector, before the first step.

    python benchmarks/pretrained_start.py DATA WEIGHTS [--blocks cam ...] [--seeds 3]

yolox-nano takes published WEIGHTS (of DATA's classes); its blocks start as published, drawn from
each seed, or as the identity, which draws change nothing of. Prints how many tensors were loaded
and how many start fresh, and the AP on DATA's validation images: mean and range over the seeds.
"""

import argparse
import copy
from collections.abc import Sequence
from pathlib import Path

from yolox_attn.machine import set_wait_policy

set_wait_policy()  # before torch is imported

from loguru import logger
from tabulate import tabulate

from yolox_attn.core.weights import load_weights
from yolox_attn.evaluators import adapt_evaluator
from yolox_attn.exp import load_exp, use_data
from yolox_attn.seed import seed_everything

BLOCKS = ("cam", "se", "eca", "cbam", "acmix", "drconv", "attnconv")


def start(block: str, init: str, seed: int, args: argparse.Namespace) -> tuple[int, int, float]:
    """Return the tensors loaded, those that start fresh, and AP in points."""
    exp = load_exp(name="yolox-nano" + (f"-{block}" if block != "none" else ""))
    use_data(exp, args.data)
    exp.attention_init = init
    seed_everything(seed)
    model = copy.deepcopy(exp.get_model())
    loaded = load_weights(model, args.weights, attention_init=init)
    evaluator = adapt_evaluator(exp.get_evaluator(8, is_distributed=False))
    ap, *_ = evaluator.evaluate(model.eval())
    return loaded.tensors, loaded.attention, 100 * ap


def spread(values: Sequence[float]) -> str:
    """Return mean and range; nothing of nothing."""
    if not values:
        return ""
    return f"{sum(values) / len(values):.1f} ({min(values):.1f} to {max(values):.1f})"


def main() -> int:
    """Evaluate, and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("data")
    parser.add_argument("weights", type=Path)
    parser.add_argument("--blocks", nargs="+", choices=BLOCKS, default=BLOCKS, metavar="BLOCK")
    parser.add_argument("--seeds", type=int, default=3, metavar="N")
    args = parser.parse_args()
    logger.remove()
    rows = []
    for block in ("none", *args.blocks):
        identity = start(block, "identity", 0, args)
        drawn = [start(block, "published", seed, args)[2]
                 for seed in range(args.seeds if block != "none" else 0)]  # fmt: skip
        row = [block, *identity[:2], f"{identity[2]:.2f}", spread(drawn)]
        print(*row, sep=" | ", flush=True)
        rows.append(row)
    heads = ["block", "loaded", "fresh", "AP, identity start", "AP, as published"]
    print()
    print(tabulate(rows, heads, tablefmt="pipe", disable_numparse=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

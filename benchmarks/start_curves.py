"""How AP grows after a start from trained weights, by study: one column a study and epoch.

    python benchmarks/start_curves.py STUDY [STUDY ...] [--epochs 1 5]

The studies differ in how their blocks start (`attention_init published`, `identity`) and evaluate
after every epoch (`eval_interval 1`). Prints mean and range of AP over a variant's seeds.
"""

import argparse
from collections import defaultdict
from pathlib import Path

from pretrained_start import spread
from tabulate import tabulate

from yolox_attn.runs import read_metrics
from yolox_attn.study.plan import RUNS


def curves(study: Path) -> dict[str, dict[int, list[float]]]:
    """Return variant -> epoch -> AP in points, one a seed."""
    points: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for folder in sorted((study / RUNS).glob("*/seed*")):
        for row in read_metrics(folder):
            if "AP" in row:
                points[folder.parent.name][row["epoch"]].append(100 * row["AP"])
    return points


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("studies", nargs="+", type=Path, metavar="STUDY")
    parser.add_argument("--epochs", nargs="+", type=int, default=[1, 5], metavar="E")
    args = parser.parse_args()
    found = {study.name: curves(study) for study in args.studies}
    names = dict.fromkeys(name for points in found.values() for name in points)
    columns = [(study, epoch) for study in found for epoch in args.epochs]
    rows = [
        [name, *(spread(found[study][name][epoch]) for study, epoch in columns)] for name in names
    ]
    heads = ["variant", *(f"{study}, epoch {epoch}" for study, epoch in columns)]
    print(tabulate(rows, heads, tablefmt="pipe", disable_numparse=True))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How often each procedure claims an effect: the tables of docs/statistics.md, measured again.

    python benchmarks/false_positives.py [--studies 20000] [--quick] [--seed 0]
    python benchmarks/false_positives.py --grid [--studies 20000] [--quick] [--seed 0]
    python benchmarks/false_positives.py --end-to-end [--studies 400] [--quick] [--seed 0]

False positives of one run each and of the mean over seeds (noise of the images alone), of the
paired t over seeds, of the two-component t (the first edition) and of this project's verdicts, in
three regimes of noise on 300 images; then what both editions find of an effect that the first finds
in 80 % of the studies. `--grid` has no effect in 13 mixtures of noise x 4 numbers of seeds x 3 of
images. `--end-to-end` draws boxes, which are matched, left out in turn and judged as real ones are.
Tables are Markdown, with Clopper-Pearson limits of 95 %, of drawn boxes 99 %.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from null_study import DRAWINGS, judge_drawn_studies, tally_of
from simulation import (
    GRID,
    REGIMES,
    Setting,
    Tally,
    found_by_the_first_edition,
    mixture,
    simulate,
)
from tabulate import tabulate
from tqdm import tqdm

from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.verdict import Word

SEEDS = (1, 3, 5, 10)
DRAWN_SEEDS = (1, 3, 5)
HEADS = ("noise", "seeds", "images only", "paired t", "two-component t", "helps or hurts")
BOXES_CONFIDENCE = 0.99
LIMIT = 0.998  # confidence of two-sided limits whose lower one is right 99.9 times in 100
Progress = Callable[[int], object]


def share(count: int, studies: int, confidence: float = 0.95) -> str:
    """A rate with its limits, in %."""
    lower, upper = clopper_pearson(count, studies, confidence)
    return f"{100 * count / studies:.1f} ({100 * lower:.1f}-{100 * upper:.1f})"


def false_positive_row(
    regime: str, seeds: int, tally: Tally, confidence: float = 0.95
) -> list[str]:
    """One row of the first table."""
    of_seeds = [tally.paired_t, tally.two_component] if seeds > 1 else [None, None]
    counts = [tally.images_only, *of_seeds, tally.claims()]
    return [
        regime,
        str(seeds),
        *("-" if each is None else share(each, tally.studies, confidence) for each in counts),
    ]


def summary(tallies: list[Tally]) -> str:
    """What is promised of the cells with seeds enough for a verdict."""
    rates = [tally.claims() / tally.studies for tally in tallies]
    worst = max(tally.claim_limits(LIMIT)[0] for tally in tallies)
    return (
        f"helps or hurts, {len(tallies)} cells of 3 seeds and more: mean {100 * np.mean(rates):.2f}"
        f" %, largest {100 * max(rates):.2f} %, largest 99.9 % lower limit {100 * worst:.2f} %"
    )


def show(title: str, rows: list[list[str]], heads: tuple[str, ...]) -> None:
    """Print a table below its title."""
    print(f"{title}\n\n{tabulate(rows, heads, tablefmt='github', disable_numparse=True)}\n")


def drawn_values(studies: int, rng: np.random.Generator, progress: Progress) -> None:
    """Print both tables of studies whose AP values are drawn."""
    wrong, found, several = [], [], []
    for regime, noise in REGIMES.items():
        for seeds in SEEDS:
            tally = simulate(Setting(noise, seeds), studies, rng, progress)
            wrong.append(false_positive_row(regime, seeds, tally))
            if seeds == 1:
                continue
            several.append(tally)
            effect = found_by_the_first_edition(Setting(noise, seeds), studies, rng)
            real = simulate(Setting(noise, seeds, effect), studies, rng, progress)
            both = (real.two_component, real.words[Word.HELPS])
            row = [regime, str(seeds), f"{effect:.2f}", *(share(each, studies) for each in both)]
            found.append(row)
    show(f"No true effect: % of {studies} studies that claim one (95 % limits)", wrong, HEADS)
    print(f"{summary(several)}\n")
    heads = ("noise", "seeds", "true, AP", "found by the two-component t, %", "helps, %")
    show("A true effect that the first edition finds in 80 %", found, heads)


def grid(studies: int, rng: np.random.Generator, progress: Progress) -> None:
    """Print the range of the rates over all mixtures, a row for each number of seeds and images."""
    cells: dict[tuple[int, int], list[Tally]] = {}
    for shares, seeds, images in GRID:
        tally = simulate(Setting(mixture(shares, images), seeds), studies, rng, progress)
        cells.setdefault((seeds, images), []).append(tally)
    rows = []
    for (seeds, images), tallies in cells.items():
        row = [str(seeds), str(images)]
        for claims in ([each.two_component for each in tallies], [t.claims() for t in tallies]):
            rates = 100 * np.array(claims) / studies
            row.append(f"{rates.max():.1f} / {rates.mean():.1f} / {rates.min():.1f}")
        row.append(f"{100 * max(each.claim_limits(LIMIT)[0] for each in tallies):.2f}")
        rows.append(row)
    heads = ("seeds", "images", "two-component t", "helps or hurts", "largest 99.9 % lower limit")
    show(f"Largest / mean / smallest % of 13 mixtures, {studies} studies each", rows, heads)
    print(f"{summary([each for tallies in cells.values() for each in tallies])}\n")


def drawn_boxes(studies: int, rng: np.random.Generator, progress: Progress) -> None:
    """Print the table of studies whose detections are drawn."""
    rows, several = [], []
    for regime, drawing in DRAWINGS.items():
        for seeds in DRAWN_SEEDS:
            null = replace(drawing, seeds=seeds)
            tally = tally_of(judge_drawn_studies(null, studies, rng, progress))
            row = false_positive_row(regime, seeds, tally, BOXES_CONFIDENCE)
            rows.append(row[:4] + row[5:])
            if seeds > 1:
                several.append(tally)
    title = f"Two detectors equally good: % of {studies} studies that claim a difference"
    show(f"{title} ({BOXES_CONFIDENCE:.0%} limits)", rows, HEADS[:4] + HEADS[5:])
    print(f"{summary(several)}\n")


def main(argv: list[str] | None = None) -> int:
    """Print the tables; --quick draws a tenth of the studies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--grid", action="store_true", help="13 mixtures of noise, no effect")
    which.add_argument("--end-to-end", action="store_true", help="draw boxes, not AP values")
    parser.add_argument("--quick", action="store_true", help="a tenth of the studies")
    parser.add_argument("--studies", type=int, help="a cell; 20000, of boxes 400")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    studies = args.studies or (400 if args.end_to_end else 20_000)
    studies = max(studies // 10, 1) if args.quick else studies
    measured, cells = drawn_values, len(REGIMES) * (2 * len(SEEDS) - 1)
    if args.grid:
        measured, cells = grid, len(GRID)
    elif args.end_to_end:
        measured, cells = drawn_boxes, len(DRAWINGS) * len(DRAWN_SEEDS)
    started = time.perf_counter()
    with tqdm(total=cells * studies, unit="study", disable=None) as bar:
        measured(studies, np.random.default_rng(args.seed), bar.update)
    print(f"seed {args.seed}, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""How often each procedure claims an effect: the tables of docs/statistics.md, measured again.

    python benchmarks/false_positives.py [--quick] [--studies 2000] [--seed 0]
    python benchmarks/false_positives.py --end-to-end [--quick] [--studies 200] [--seed 0]

False positives of one run each and of the mean over seeds (image bootstrap alone), of the paired t
over seeds, and of this project's verdicts, in three regimes of noise on 300 images; then the power
of the verdicts at the effect that the formula says is found four times in five. `--end-to-end` does
the same for studies whose boxes are drawn, and that are matched, resampled and judged as real ones
are. Tables are Markdown, with 95 % Clopper-Pearson limits.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from null_study import DRAWINGS, judge_drawn_studies, tally_of
from simulation import IMAGES, REGIMES, Setting, Tally, simulate
from tabulate import tabulate
from tqdm import tqdm

from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.power import detectable_effect
from yolox_attn.stats.verdict import Word

SEEDS = (1, 3, 5, 10)
DRAWN_SEEDS = (1, 3, 5)
DRAWN_EFFECT = 0.5  # in the unit of `Drawing`: easy and hard objects differ by 1
HEADS = ("noise", "seeds", "images only", "paired t", "helps or hurts", "no worthwhile difference")
Progress = Callable[[int], object]


def share(count: int, studies: int) -> str:
    """A rate with its 95 % limits, in %."""
    lower, upper = clopper_pearson(count, studies)
    return f"{100 * count / studies:.1f} ({100 * lower:.1f}-{100 * upper:.1f})"


def false_positive_row(regime: str, seeds: int, tally: Tally) -> list[str]:
    """One row of the first table."""
    return [
        regime,
        str(seeds),
        share(tally.images_only, tally.studies),
        share(tally.paired_t, tally.studies) if seeds > 1 else "-",
        share(tally.claims(), tally.studies),
        share(tally.words[Word.NO_DIFFERENCE], tally.studies),
    ]


def found_row(regime: str, seeds: int, effect: float, tally: Tally) -> list[str]:
    """One row of the second table; `effect` in AP points."""
    return [regime, str(seeds), f"{effect:.2f}", share(tally.words[Word.HELPS], tally.studies)]


def summary(tallies: list[Tally]) -> str:
    """What is promised of the cells with seeds enough for a verdict."""
    mean = np.mean([tally.claims() / tally.studies for tally in tallies])
    worst = max(tally.claim_limits()[0] for tally in tallies)
    return (
        f"helps or hurts, cells of 3 seeds and more: mean of the {len(tallies)} {100 * mean:.2f} %,"
        f" largest lower limit {100 * worst:.1f} %"
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
            effect = detectable_effect(noise, seeds=seeds, images=IMAGES)
            real = simulate(Setting(noise, seeds, effect), studies, rng, progress)
            found.append(found_row(regime, seeds, effect, real))
    show(f"No true effect: % of {studies} studies that claim one (95 % limits)", wrong, HEADS)
    print(f"{summary(several)}\n")
    show("A true effect", found, ("noise", "seeds", "true, AP", "found, % (formula: 80)"))


def drawn_boxes(studies: int, rng: np.random.Generator, progress: Progress) -> None:
    """Print both tables of studies whose detections are drawn."""
    wrong, found, several = [], [], []
    for regime, drawing in DRAWINGS.items():
        for seeds in DRAWN_SEEDS:
            null = replace(drawing, seeds=seeds)
            tally = tally_of(judge_drawn_studies(null, studies, rng, progress))
            wrong.append(false_positive_row(regime, seeds, tally))
            if seeds == 1:
                continue
            several.append(tally)
            real = replace(null, effect=DRAWN_EFFECT)
            judged = judge_drawn_studies(real, studies, rng, progress)
            effect = 100 * float(np.mean([each.difference for each in judged]))
            found.append(found_row(regime, seeds, effect, tally_of(judged)))
    title = f"Two detectors equally good: % of {studies} studies that claim a difference"
    show(f"{title} (95 % limits)", wrong, HEADS)
    print(f"{summary(several)}\n")
    show("One is better", found, ("noise", "seeds", "mean difference, AP", "found, %"))


def main(argv: list[str] | None = None) -> int:
    """Print the tables; --quick draws a tenth of the studies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--end-to-end", action="store_true", help="draw boxes, not AP values")
    parser.add_argument("--quick", action="store_true", help="a tenth of the studies")
    parser.add_argument("--studies", type=int, help="a cell; 2000, of boxes 200")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    studies = args.studies or (200 if args.end_to_end else 2000)
    studies = max(studies // 10, 1) if args.quick else studies
    measured = drawn_boxes if args.end_to_end else drawn_values
    cells = 3 * (2 * len(DRAWN_SEEDS if args.end_to_end else SEEDS) - 1)
    started = time.perf_counter()
    with tqdm(total=cells * studies, unit="study", disable=None) as bar:
        measured(studies, np.random.default_rng(args.seed), bar.update)
    print(f"seed {args.seed}, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

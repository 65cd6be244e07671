"""How often each procedure claims an effect: the table of docs/statistics.md, measured again.

    python benchmarks/false_positives.py [--quick] [--studies 2000] [--seed 0]

False positives of one run each and of the mean over seeds (image bootstrap alone), of the paired t
over seeds, and of this project's verdicts, in three regimes of noise on 300 images; then the power
of the verdicts at the effect that the formula says is found four times in five.
"""

import argparse
import time

import numpy as np
from tabulate import tabulate
from tqdm import tqdm

from yolox_attn.stats.binomial import clopper_pearson
from yolox_attn.stats.power import detectable_effect
from yolox_attn.stats.simulation import IMAGES, REGIMES, Setting, Tally, simulate
from yolox_attn.stats.verdict import Word

SEEDS = (1, 3, 5, 10)


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


def power_row(regime: str, setting: Setting, tally: Tally) -> list[str]:
    """One row of the second table."""
    helps = share(tally.words[Word.HELPS], tally.studies)
    return [regime, str(setting.seeds), f"{setting.effect:.2f}", helps]


def main(argv: list[str] | None = None) -> int:
    """Print both tables; --quick draws 200 studies a cell."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="200 studies a cell")
    parser.add_argument("--studies", type=int, default=2000, help="a cell")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    studies = 200 if args.quick else args.studies
    rng = np.random.default_rng(args.seed)
    false_positives, powers, claims = [], [], []
    started, cells = time.perf_counter(), len(REGIMES) * (2 * len(SEEDS) - 1)
    with tqdm(total=cells * studies, unit="study", disable=None) as bar:
        for regime, noise in REGIMES.items():
            for seeds in SEEDS:
                tally = simulate(Setting(noise, seeds), studies, rng, bar.update)
                false_positives.append(false_positive_row(regime, seeds, tally))
                if seeds == 1:
                    continue
                claims.append(tally.claims() / studies)
                effect = detectable_effect(noise, seeds=seeds, images=IMAGES)
                setting = Setting(noise, seeds, effect)
                powers.append(power_row(regime, setting, simulate(setting, studies, rng)))
                bar.update(studies)
    heads = ["noise", "seeds", "images only", "paired t", "helps or hurts", "no worthwhile diff."]
    print(f"no true effect: % of {studies} studies that claim one (95 % limits)")
    print(tabulate(false_positives, heads))
    print(f"mean of the {len(claims)} cells of 3 seeds and more: {100 * np.mean(claims):.2f} %\n")
    print(tabulate(powers, ["noise", "seeds", "true effect, AP", "found, % (formula: 80)"]))
    print(f"{time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

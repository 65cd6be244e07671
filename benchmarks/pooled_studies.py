"""How often do pooled studies claim an effect that is none? The figures of docs/statistics.md.

    python benchmarks/pooled_studies.py [--pools 20000] [--quick] [--seed 0]

k studies of one block, each on a data set of its own, drawn as `simulation` draws them: three or
five seeds, 100 images, balanced noise. The true effects are 0 on the average and differ between
the data sets by tau; the noise of every second study may be four times as large. Judged by the
mean's t interval, which `study merge` shows, by the weighted one (Paule-Mandel, Knapp-Hartung)
beside it, and by what is usual: the mean weighted by the inverse variances, tau left out.
"""

import argparse
import time
from dataclasses import dataclass
from itertools import product, starmap

import numpy as np
from simulation import Setting, draw_studies, mixture
from tabulate import tabulate

from yolox_attn.stats.interval import estimate
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.pooling import pool
from yolox_attn.stats.values import Floats

IMAGES = 100
STUDIES = (2, 3, 5, 10)
SEEDS = (3, 5)
TAUS = (0.0, 1.0, 3.0)
LARGE = 4.0  # times the noise, of every second study
NORMAL = 1.96
CLAIMS = ("mean, t", "weighted, Knapp-Hartung", "inverse variance")


@dataclass(frozen=True)
class Case:
    """What is pooled.

    Args:
        seeds: of each study; studies: how many.
        tau: SD of the true effects, in standard errors of a study of ordinary noise.
        unequal: every second study has `LARGE` times the noise.
    """

    seeds: int
    studies: int
    tau: float
    unequal: bool


def draw(case: Case, pools: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return (pools, studies) effects and their standard errors, in the unit of tau."""
    setting = Setting(mixture((1 / 3, 1 / 3, 1 / 3), IMAGES), case.seeds)
    values, noise = draw_studies(setting, pools * case.studies, rng)
    paired = estimate(values, noise, IMAGES)
    true_error = np.sqrt(1 / 3 + 2 / 3 / case.seeds)  # of the mixture's parts, each a third
    shape = (pools, case.studies)
    scale = np.where(case.unequal & (np.arange(case.studies) % 2 == 1), LARGE, 1.0) / true_error
    effects, errors = (scale * each.reshape(shape) for each in (paired.difference, paired.error))
    return effects + rng.normal(0.0, case.tau, shape), errors


def claims(effects: Floats, errors: Floats) -> tuple[bool, bool, bool]:
    """Tell which of `CLAIMS` leave 0 out."""
    pooled = pool(effects, errors)
    ends = (pooled.interval, pooled.weighted_interval)
    weights = errors**-2
    usual = abs(float(weights @ effects)) > NORMAL * float(np.sqrt(weights.sum()))
    plain, weighted = (low > 0 or high < 0 for low, high in ends)
    return plain, weighted, usual


def main(argv: list[str] | None = None) -> int:
    """Print the table; --quick draws a tenth."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the pools")
    parser.add_argument("--pools", type=int, default=20_000, help="a cell")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    pools = max(args.pools // 10, 1) if args.quick else args.pools
    rng, started = np.random.default_rng(args.seed), time.perf_counter()
    rows, counts = [], []
    for case in starmap(Case, product(SEEDS, STUDIES, TAUS, (False, True))):
        effects, errors = draw(case, pools, rng)
        made = np.array([claims(*each) for each in zip(effects, errors, strict=True)]).sum(axis=0)
        counts.append(int(made[0]))
        noise = "unequal" if case.unequal else "equal"
        shares = (f"{100 * count / pools:.1f}" for count in made)
        rows.append((case.seeds, case.studies, f"{case.tau:g}", noise, *shares))
    heads = ("seeds", "studies", "tau / SE", "noise", *CLAIMS)
    print(f"No effect on the average: % of {pools} pools that claim one\n")
    print(tabulate(rows, heads, tablefmt="github", disable_numparse=True))
    lowest = max(clopper_pearson(count, pools, 0.998)[0] for count in counts)
    print(
        f"\nmean, t: largest {100 * max(counts) / pools:.2f} %, largest 99.9 % lower limit "
        f"{100 * lowest:.2f} %; seed {args.seed}, {time.perf_counter() - started:.0f} s"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""Studies in stages without an effect and with one: the tables of docs/statistics.md.

    python benchmarks/staged_studies.py [--studies 20000] [--quick] [--seed 0]

Families of 1 and 4 blocks that share a baseline, at looks 3/5/8/12, 4/7/10 and 3/6, in five regimes
of noise on 100 images: how often any block without an effect is said to help or hurt, also with
true effects among them and with one run in ten failed; beside it the same looks at p < 0.05 each.
Then the power and the seeds that a block takes, at 1, 1.5 and 2 times the effect that a study of
one look with all seeds finds in 80 %. The values of images are drawn one by one; the jackknife's
covariance is that of their means. Tables are Markdown, with 99.9 % lower limits.
"""

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from simulation import mixture
from tabulate import tabulate

from yolox_attn.stats.behrens_fisher import tail
from yolox_attn.stats.noise import Noise
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.power import detectable_effect
from yolox_attn.stats.stages import Stages, claims, levels
from yolox_attn.stats.values import Floats

IMAGES = 100
LOOKS = ((3, 5, 8, 12), (4, 7, 10), (3, 6))
SHARES = {  # of the variance: method x image, seed, seed x image
    "seeds alone": (0, 1, 0),
    "seeds dominate": (0.05, 0.75, 0.2),
    "balanced": (1 / 3, 1 / 3, 1 / 3),
    "images dominate": (0.75, 0.05, 0.2),
    "seed x image": (0, 0, 1),
}
BLOCK = 500  # studies drawn at once
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Design:
    """A kind of staged study.

    Args:
        noise: of one pair's difference; the baseline has half of its variance.
        stages: looks and levels.
        effects: true effect of each block, AP points.
        failing: share of the runs that leave nothing.
    """

    noise: Noise
    stages: Stages
    effects: tuple[float, ...]
    failing: float = 0.0


@dataclass(frozen=True)
class Seen:
    """What the looks see: arrays (studies, blocks, looks)."""

    difference: Floats
    of_seeds: Floats  # variance
    of_images: Floats
    pairs: NDArray[np.int64]


def draw(design: Design, studies: int, rng: np.random.Generator) -> Seen:
    """Draw studies, as each of their looks sees them."""
    noise, looks = design.noise, design.stages.looks
    blocks, seeds = len(design.effects), looks[-1]

    def runs(sd: float, *shape: int) -> Floats:
        return rng.normal(0.0, sd / np.sqrt(2), shape)

    own = runs(noise.seed, studies, blocks + 1, seeds)
    scale = np.sqrt(IMAGES)  # a mean over N images shrinks their noise to the level of `Noise`
    images = runs(noise.method_image * scale, studies, blocks + 1, 1, IMAGES)
    images = images + runs(noise.seed_image * scale, studies, blocks + 1, seeds, IMAGES)
    by_image = images[:, 1:] - images[:, :1]
    values = own[:, 1:] - own[:, :1] + by_image.mean(axis=-1) + np.array(design.effects)[:, None]
    there = rng.random((studies, blocks + 1, seeds)) >= design.failing
    paired = there[:, 1:] & there[:, :1]
    parts = [_seen(values, by_image, paired & (np.arange(seeds) < count)) for count in looks]
    return Seen(*(np.stack(columns, axis=-1) for columns in zip(*parts, strict=True)))


def _seen(values: Floats, by_image: Floats, kept: Bools) -> tuple[Floats, ...]:
    """Return difference, both variances and the number of pairs of those that are `kept`."""
    pairs = kept.sum(axis=-1)
    many = np.maximum(pairs, 2)
    mean = (values * kept).sum(axis=-1) / np.maximum(pairs, 1)
    of_seeds = (kept * (values - mean[..., None]) ** 2).sum(axis=-1) / (many - 1) / many
    of_one = (kept * by_image.var(axis=-1, ddof=1)).sum(axis=-1) / IMAGES / many
    together = (kept[..., None] * by_image).sum(axis=-2) / many[..., None]
    of_mean = together.var(axis=-1, ddof=1) / IMAGES
    shared = np.maximum((many * of_mean - of_one) / (many - 1), 0.0)
    return mean, of_seeds, shared, pairs


def p_values(seen: Seen, most: float) -> Floats:
    """Return p of each block at each look; 1 where it is surely above `most`, or under 3 pairs.

    Surely: the difference is inside the interval of one of the two parts alone.
    """
    found = np.ones(seen.difference.shape)
    distance = np.abs(seen.difference)
    for count in range(3, int(seen.pairs.max()) + 1):
        of_seeds = stats.t.isf(most / 2, count - 1) * np.sqrt(seen.of_seeds)
        of_images = stats.t.isf(most / 2, IMAGES - 1) * np.sqrt(seen.of_images)
        rows = (seen.pairs == count) & (distance > np.maximum(of_seeds, of_images))
        scales = np.sqrt(seen.of_seeds[rows]), np.sqrt(seen.of_images[rows])
        found[rows] = 2 * tail(distance[rows], scales, (count - 1.0, IMAGES - 1.0))
    return found


def claimed_at(p: Floats, stages: Stages) -> NDArray[np.int64]:
    """Return the look (from 1) at which each block of each study is claimed, 0 for never."""
    found = np.zeros(p.shape[:2], dtype=np.int64)
    at_looks = [[row[k] for row in stages.levels] for k in range(len(stages.looks))]
    for study in np.flatnonzero((p < max(map(max, at_looks))).any(axis=(1, 2))):
        for number, at_look in enumerate(at_looks, start=1):
            left = np.flatnonzero(found[study] == 0)
            before = p.shape[1] - len(left)
            for place in claims(p[study, left, number - 1].tolist(), at_look, before):
                found[study, left[place]] = number
    return found


def claims_of(design: Design, studies: int, rng: np.random.Generator) -> tuple[Floats, Bools]:
    """Return the look of each claim, (studies, blocks), and whether naive looking claims."""
    looks, naive = [], []
    for _ in range(0, studies, BLOCK):
        p = p_values(draw(design, BLOCK, rng), 0.05)
        looks.append(claimed_at(p, design.stages))
        naive.append((p < 0.05).any(axis=2))
    return np.concatenate(looks), np.concatenate(naive)


def limit(count: int, studies: int) -> str:
    """A rate and its 99.9 % lower limit, in %."""
    return f"{100 * count / studies:.2f} ({100 * clopper_pearson(count, studies, 0.998)[0]:.2f})"


def false_claims(studies: int, rng: np.random.Generator) -> list[list[str]]:
    """Return a row for each set of looks and regime."""
    rows = []
    for looks in LOOKS:
        stages = {m: Stages(looks, levels(looks, 0.05, m)) for m in (1, 4)}
        for regime, shares in SHARES.items():
            noise = mixture(shares, IMAGES)
            null = Design(noise, stages[4], (0.0,) * 4)
            cells, studied = [], -(-studies // BLOCK) * BLOCK
            for design in (
                Design(noise, stages[1], (0.0,)),
                null,
                replace(null, effects=(3.0, 3.0, 0.0, 0.0)),
                replace(null, failing=0.1),
            ):
                found, naive = claims_of(design, studies, rng)
                empty = np.array(design.effects) == 0
                cells.append(limit(int((found[:, empty] > 0).any(axis=1).sum()), studied))
                if len(design.effects) == 1:
                    cells.append(f"{100 * naive.any(axis=1).mean():.1f}")
            rows.append(["/".join(map(str, looks)), regime, *cells])
    return rows


def powers(studies: int, rng: np.random.Generator) -> list[list[str]]:
    """Return a row for each set of looks and regime: power and mean seeds at three effects."""
    rows = []
    for looks in LOOKS:
        stages = Stages(looks, levels(looks, 0.05, 1))
        for regime, shares in SHARES.items():
            noise = mixture(shares, IMAGES)
            one = detectable_effect(noise, seeds=looks[-1], images=IMAGES)
            cells = []
            for factor in (1.0, 1.5, 2.0):
                found, _ = claims_of(Design(noise, stages, (factor * one,)), studies, rng)
                taken = np.array([looks[-1], *looks])[found]
                cells.append(f"{100 * (found > 0).mean():.0f} %, {taken.mean():.1f}")
            rows.append(["/".join(map(str, looks)), regime, f"{one:.2f}", *cells])
    return rows


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table below its title."""
    print(f"{title}\n\n{tabulate(rows, heads, tablefmt='github', disable_numparse=True)}\n")


def main(argv: list[str] | None = None) -> int:
    """Print the tables; --quick draws a tenth of the studies."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the studies")
    parser.add_argument("--studies", type=int, default=20_000, help="a cell")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    studies = args.studies // 10 if args.quick else args.studies
    rng, started = np.random.default_rng(args.seed), time.perf_counter()
    heads = ["looks", "noise", "1 block", "naive", "4 blocks", "2 of 4 help", "1 run in 10 failed"]
    show(f"False claims in % of {studies} studies (99.9 % lower limit)", heads,
         false_claims(studies, rng))  # fmt: skip
    heads = ["looks", "noise", "effect", "power, seeds at 1 x", "1.5 x", "2 x"]
    show("One block: power and mean seeds; a claim ends it", heads, powers(studies // 4, rng))
    print(f"seed {args.seed}, {time.perf_counter() - started:.0f} s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The promise of the whole: of studies without an effect, at most one in twenty claims one."""

import numpy as np
import pytest
from simulation import (
    IMAGES,
    REGIMES,
    Setting,
    Tally,
    draw_studies,
    image_replicates,
    judge,
    simulate,
    words,
)

from yolox_attn.errors import InputError
from yolox_attn.stats.noise import Noise, seeds_only
from yolox_attn.stats.paired_tests import clopper_pearson
from yolox_attn.stats.power import detectable_effect
from yolox_attn.stats.verdict import Word

CELLS = [(regime, seeds) for regime in REGIMES for seeds in (3, 5, 10)]


def tallies(studies: int, **options) -> list[Tally]:
    rng = np.random.default_rng(20)
    return [
        simulate(Setting(REGIMES[regime], seeds, **options), studies, rng)
        for regime, seeds in CELLS
    ]


@pytest.mark.parametrize(
    "options",
    [{"studies": 200, "replicates": 400}, pytest.param({"studies": 2000}, marks=pytest.mark.slow)],
    ids=["short", "long"],
)
def test_false_positives(options):
    cells = tallies(**options)
    assert max(tally.claim_limits()[0] for tally in cells) <= 0.06
    assert np.mean([tally.claims() / tally.studies for tally in cells]) <= 0.055


@pytest.mark.slow
@pytest.mark.parametrize(("regime", "seeds"), CELLS)
def test_power_is_the_formulas(regime, seeds):
    """Within the simulation's 95 % limits and the 3 points that Satterthwaite's estimate costs."""
    noise = REGIMES[regime]
    effect = detectable_effect(noise, seeds=seeds, images=IMAGES)
    tally = simulate(Setting(noise, seeds, effect), 2000, np.random.default_rng(seeds))
    lower, upper = clopper_pearson(tally.words[Word.HELPS], tally.studies)
    assert lower - 0.03 < 0.8 < upper + 0.03


def test_the_usual_procedures_claim_too_often():
    rng = np.random.default_rng(1)
    single = simulate(Setting(REGIMES["seeds dominate"], 1, replicates=400), 300, rng)
    assert single.images_only / 300 > 0.25
    assert single.words[Word.CANNOT_TELL] == 300  # one run each is never a result
    paired = simulate(Setting(REGIMES["images dominate"], 10, replicates=400), 300, rng)
    assert paired.paired_t / 300 > 0.55


def test_a_large_effect_helps_and_a_negative_one_hurts():
    rng = np.random.default_rng(2)
    for effect, word in ((9.0, Word.HELPS), (-9.0, Word.HURTS)):
        setting = Setting(REGIMES["balanced"], 5, effect, replicates=200)
        assert simulate(setting, 20, rng).words[word] == 20


def test_without_much_noise_no_effect_is_shown_to_be_none():
    quiet = Setting(Noise(0.05, 0.05, 0.05, 100), 5, replicates=200)
    tally = simulate(quiet, 60, np.random.default_rng(3))
    assert tally.words[Word.NO_DIFFERENCE] + tally.claims() == 60


def test_drawn_studies_have_the_noise_they_are_asked_for():
    setting = Setting(Noise(0.6, 0.4, 0.3, 100), 3)
    means = draw_studies(setting, 4000, np.random.default_rng(4)).mean(axis=1)
    assert means.var(axis=1, ddof=1).mean() == pytest.approx(0.16 + 0.09, rel=0.05)
    assert means.mean(axis=1).var() == pytest.approx(0.36 + 0.25 / 3, rel=0.05)


def test_one_stream_one_tally_and_progress_counts_every_study():
    setting, done = Setting(REGIMES["balanced"], 3, replicates=100), []
    first = simulate(setting, 70, np.random.default_rng(5), done.append)
    assert sum(done) == 70
    assert first == simulate(setting, 70, np.random.default_rng(5))


def test_a_block_is_its_studies_one_by_one():
    rng = np.random.default_rng(6)
    setting = Setting(REGIMES["balanced"], 5, 1.0)
    values = draw_studies(setting, 8, rng)
    weights = rng.multinomial(IMAGES, np.full(IMAGES, 1 / IMAGES), 300).astype(float)
    alone = [words(judge(values[n : n + 1], weights), 0.5)[0] for n in range(8)]
    assert words(judge(values, weights), 0.5) == alone


def test_image_replicates_are_weighted_means_by_hand():
    values = np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])  # 3 images, 2 seeds
    weights = np.array([[1, 1, 1], [3, 0, 0], [0, 1, 2]])
    assert image_replicates(values, weights) == pytest.approx(
        np.array([[7 / 3, 70 / 3], [1, 10], [10 / 3, 100 / 3]])
    )


@pytest.mark.parametrize(
    "wrong", [lambda: Setting(seeds_only(1.0), 3), lambda: Setting(REGIMES["balanced"], 0)]
)
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()

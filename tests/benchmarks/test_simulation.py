"""The promise of the whole: of studies without an effect, at most one in twenty claims one."""

from dataclasses import replace

import numpy as np
import pytest
from simulation import (
    GRID,
    IMAGES,
    REGIMES,
    Setting,
    Tally,
    draw_studies,
    found_by_the_first_edition,
    mixture,
    simulate,
    words,
)

from yolox_attn.errors import InputError
from yolox_attn.stats.interval import estimate, p_value
from yolox_attn.stats.jackknife import ImageNoise, image_noise
from yolox_attn.stats.noise import Noise, seeds_only
from yolox_attn.stats.verdict import Word, decide, evidence

PARTS = ("shared", "of_one", "of_mean")


def tally_of(setting: Setting, studies: int, seed: int = 0) -> Tally:
    return simulate(setting, studies, np.random.default_rng(seed))


@pytest.mark.parametrize(
    ("studies", "cells"),
    [(2000, GRID[::12]), pytest.param(20_000, GRID[::2], marks=pytest.mark.slow)],
    ids=["short", "long"],
)
def test_false_positives(studies, cells):
    """Of no mixture of noise, number of seeds or of images surely more than one in twenty."""
    for shares, seeds, images in cells:
        tally = tally_of(Setting(mixture(shares, images), seeds), studies, seed=seeds + images)
        assert tally.claim_limits(0.998)[0] <= 0.05, (shares, seeds, images)


def test_the_noise_of_seed_and_image_is_counted_once():
    """Where it is all there is, the first edition claims next to nothing, and this one 5 %."""
    tally = tally_of(Setting(mixture((0, 0, 1), 100), 5), 4000)
    assert tally.two_component / tally.studies < 0.015
    assert 0.04 < tally.claims() / tally.studies < 0.06


def test_the_usual_procedures_claim_too_often():
    single = tally_of(Setting(REGIMES["seeds dominate"], 1), 3000)
    assert single.images_only / single.studies > 0.25
    assert single.words[Word.CANNOT_TELL] == single.studies  # one run each is never a result
    paired = tally_of(Setting(REGIMES["images dominate"], 10), 3000)
    assert paired.paired_t / paired.studies > 0.6


def test_the_effect_that_the_first_edition_finds_in_80_percent():
    setting = Setting(REGIMES["balanced"], 5)
    effect = found_by_the_first_edition(setting, 20_000, np.random.default_rng(0))
    tally = tally_of(replace(setting, effect=effect), 4000)
    assert tally.two_component / tally.studies == pytest.approx(0.8, abs=0.02)


def test_a_large_effect_helps_and_a_negative_one_hurts():
    for effect, word in ((9.0, Word.HELPS), (-9.0, Word.HURTS)):
        assert tally_of(Setting(REGIMES["balanced"], 5, effect), 20).words[word] == 20


def test_without_much_noise_no_effect_is_shown_to_be_none():
    tally = tally_of(Setting(Noise(0.05, 0.05, 0.05, 100), 5), 60)
    assert tally.words[Word.NO_DIFFERENCE] + tally.claims() == 60


def test_drawn_studies_have_the_noise_they_are_asked_for():
    setting = Setting(Noise(0.6, 0.4, 0.3, 100), 3)
    values, noise = draw_studies(setting, 20_000, np.random.default_rng(4))
    assert values.var(axis=1, ddof=1).mean() == pytest.approx(0.16 + 0.09, rel=0.05)
    assert values.mean(axis=1).var() == pytest.approx(0.36 + 0.25 / 3, rel=0.05)
    assert noise.of_one.mean() == pytest.approx(0.36 + 0.09, rel=0.01)
    assert noise.of_mean.mean() == pytest.approx(0.36 + 0.03, rel=0.01)
    assert noise.shared.mean() == pytest.approx(0.36, rel=0.01)


def test_what_is_drawn_of_the_jackknife_is_the_jackknife_of_drawn_images():
    """Its mean and its scatter, of studies whose images are drawn one by one."""
    rng, images, seeds = np.random.default_rng(5), 12, 3
    shared = rng.normal(0, 0.6 * images**0.5, (4000, images, 1))
    values = shared + rng.normal(0, 0.3 * images**0.5, (4000, images, seeds))
    one_by_one = image_noise((values.sum(axis=1, keepdims=True) - values) / (images - 1))
    _, drawn = draw_studies(Setting(Noise(0.6, 0.0, 0.3, images), seeds), 4000, rng)
    for part in ("shared", "of_one", "of_mean"):
        left, right = getattr(one_by_one, part), getattr(drawn, part)
        assert left.mean() == pytest.approx(right.mean(), rel=0.04), part
        assert left.std() == pytest.approx(right.std(), rel=0.06), part


def test_one_stream_one_tally_and_progress_counts_every_study():
    setting, done = Setting(REGIMES["balanced"], 3), []
    first = simulate(setting, 5070, np.random.default_rng(5), done.append)
    assert done == [5000, 70]
    assert first == simulate(setting, 5070, np.random.default_rng(5))


def test_the_words_are_those_of_the_verdict():
    values, noise = draw_studies(Setting(REGIMES["balanced"], 5, 0.8), 30, np.random.default_rng(6))
    counted = dict(words(estimate(values, noise, IMAGES), 1.5))
    alone = dict.fromkeys(Word, 0)
    for number in range(30):
        of_images = ImageNoise(*(getattr(noise, part)[number] for part in PARTS))
        paired = estimate(values[number], of_images, IMAGES)
        alone[decide(evidence(paired, float(p_value(paired))), sesoi=1.5).word] += 1
    assert counted == alone
    assert len({word for word, count in counted.items() if count}) > 1


@pytest.mark.parametrize(
    "wrong", [lambda: Setting(seeds_only(1.0), 3), lambda: Setting(REGIMES["balanced"], 0)]
)
def test_what_cannot_be_drawn_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()

import math

import numpy as np
import pytest
from simulation import Setting, draw_studies, image_replicates

from yolox_attn.errors import InputError
from yolox_attn.stats.noise import (
    Noise,
    baseline_noise,
    measured_noise,
    sd_interval,
    seeds_only,
)


def test_the_three_parts_are_found_again():
    rng = np.random.default_rng(0)
    values = draw_studies(Setting(Noise(0.5, 0.8, 0.3, 300), 200), 1, rng)[0]
    weights = rng.multinomial(300, np.full(300, 1 / 300), 2000)
    found = measured_noise(values.mean(axis=0), image_replicates(values, weights), 300)
    assert found.method_image == pytest.approx(0.5, rel=0.1)
    assert found.seed == pytest.approx(0.8, rel=0.15)
    assert found.seed_image == pytest.approx(0.3, rel=0.1)


def test_two_seeds_by_hand():
    """Variance of one seed 4 + 1, of the mean 4: c^2 = 1 x 2, a^2 = 4 - 2 / 2, b^2 = 8 - 2."""
    shared, apart = np.array([1, 1, -1, -1]) * 3**0.5, np.array([1, -1, 1, -1]) * 0.75**0.5
    found = measured_noise([0, 4], np.column_stack([shared + apart, shared - apart]), 300)
    assert found.method_image**2 == pytest.approx(3)
    assert found.seed**2 == pytest.approx(6)
    assert found.seed_image**2 == pytest.approx(2)


def test_a_part_that_comes_out_negative_is_0():
    same_noise = np.random.default_rng(0).normal(0, 1, (100, 1)) + np.zeros(3)
    found = measured_noise([0.1, 0.1, 0.1], same_noise, 300)
    assert (found.seed, found.seed_image) == (0, 0)
    assert found.method_image == pytest.approx(same_noise[:, 0].std(ddof=1))


def test_limits_of_a_standard_deviation_by_the_printed_table():
    """chi2(2): 0.0506 and 7.378."""
    lower, upper = sd_interval(1.0, 3)
    assert lower == pytest.approx(math.sqrt(2 / 7.378), rel=1e-3)
    assert upper == pytest.approx(math.sqrt(2 / 0.0506), rel=1e-3)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: seeds_only(-1),
        lambda: Noise(0.1, 0.1, 0.1, None),
        lambda: Noise(0.1, 0.1, 0.1, 1),
        lambda: measured_noise([1.0], np.zeros((9, 1)), 300),
        lambda: measured_noise([1.0, 2.0], np.zeros((9, 3)), 300),
        lambda: sd_interval(1.0, 1),
    ],
)
def test_what_is_no_noise_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def test_the_baseline_alone_shows_its_seeds_and_their_images() -> None:
    """10,000 runs of known noise: sqrt(2) of the seed's and of the seed x image's part."""
    rng = np.random.default_rng(5)
    runs, resamples = 10_000, 200
    shared = rng.normal(0, 3.0, (resamples, 1))  # what all runs have in common cancels
    crossed = rng.normal(0, 0.3, (resamples, runs))
    values = 40 + rng.normal(0, 0.5, runs) + rng.normal(0, 0.3, runs)
    found = baseline_noise(values, values + shared + crossed, 300)
    assert found.seed == pytest.approx(np.sqrt(2) * 0.5, rel=0.03)
    assert found.seed_image == pytest.approx(np.sqrt(2) * 0.3, rel=0.03)
    assert (found.method_image, found.images) == (0.0, 300)


@pytest.mark.parametrize(
    ("values", "shape"), [([1.0], (9, 1)), ([1.0, 2.0], (9, 3)), ([1.0, 2.0], (1, 2))]
)
def test_the_baseline_alone_needs_two_runs_and_their_resamples(values, shape) -> None:
    with pytest.raises(InputError):
        baseline_noise(values, np.zeros(shape), 300)

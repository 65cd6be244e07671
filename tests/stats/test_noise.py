import math

import numpy as np
import pytest
from simulation import Setting, draw_studies

from yolox_attn.errors import InputError
from yolox_attn.stats.jackknife import ImageNoise
from yolox_attn.stats.noise import (
    Noise,
    baseline_noise,
    measured_noise,
    outliers,
    sd_interval,
    seeds_only,
)

PARTS = ("shared", "of_one", "of_mean")


def noise_of(shared: float, of_one: float, of_mean: float) -> ImageNoise:
    return ImageNoise(np.array(shared), np.array(of_one), np.array(of_mean))


def test_the_three_parts_are_found_again():
    rng = np.random.default_rng(0)
    values, of_images = draw_studies(Setting(Noise(0.5, 0.8, 0.3, 300), 400), 1, rng)
    single = ImageNoise(*(np.asarray(getattr(of_images, each))[0] for each in PARTS))
    found = measured_noise(values[0], single, 300)
    assert found.method_image == pytest.approx(0.5, rel=0.1)
    assert found.seed == pytest.approx(0.8, rel=0.1)
    assert found.seed_image == pytest.approx(0.3, rel=0.1)


def test_two_seeds_by_hand():
    """Shared 3, of one seed 5: c^2 = 2; var(0, 4) = 8 = b^2 + c^2."""
    found = measured_noise([0, 4], noise_of(3, 5, 4), 300)
    assert found.method_image**2 == pytest.approx(3)
    assert found.seed**2 == pytest.approx(6)
    assert found.seed_image**2 == pytest.approx(2)


def test_a_part_that_comes_out_negative_is_0():
    found = measured_noise([0.1, 0.1, 0.1], noise_of(1.0, 0.9, 1.0), 300)
    assert (found.method_image, found.seed, found.seed_image) == (1, 0, 0)


def test_the_freedom_of_the_images_follows_their_effective_number():
    assert Noise(0.5, 0.5, 0.5, 40).image_freedom(80) == 79
    grouped = Noise(0.5, 0.5, 0.5, 40, effective=20.5)
    assert grouped.image_freedom(40) == pytest.approx(19.5)
    assert grouped.image_freedom(80) == pytest.approx(40.0)


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
        lambda: measured_noise([1.0], noise_of(1, 1, 1), 300),
        lambda: measured_noise([1.0, 2.0], noise_of(np.nan, 1, 1), 300),
        lambda: sd_interval(1.0, 1),
    ],
)
def test_what_is_no_noise_is_refused(wrong):
    with pytest.raises(InputError):
        wrong()


def test_the_baseline_alone_shows_its_seeds_and_their_images() -> None:
    """var(0, 4) = 8 holds the own 2 of the images; of a difference all is twice as much."""
    found = baseline_noise([0.0, 4.0], noise_of(3, 5, 4), 300)
    assert found.seed**2 == pytest.approx(12)
    assert found.seed_image**2 == pytest.approx(4)
    assert (found.method_image, found.images) == (0.0, 300)


def test_the_baseline_alone_needs_two_runs() -> None:
    with pytest.raises(InputError):
        baseline_noise([1.0], noise_of(1, 1, 1), 300)
    with pytest.raises(InputError):
        baseline_noise([1.0, 2.0], noise_of(np.nan, 1, 1), 300)


def test_a_run_far_from_its_side_is_named_by_hand():
    """Medians 40 and 42; distances without the nearest: .1, .1, .2, .2 twice but for one.

    Their median is 0.15, and six times 1.4826 times that 1.33.
    """
    base = {0: 40.0, 1: 40.1, 2: 39.9, 3: 40.2, 4: 39.8}
    cam = {0: 42.0, 1: 42.1, 2: 41.9, 3: 42.9, 4: 41.8}
    assert outliers({"base": base, "cam": {**cam, 3: 43.32}}) == []
    ((name, seed, distance),) = outliers({"base": base, "cam": {**cam, 3: 43.35}})
    assert (name, seed, distance) == ("cam", 3, pytest.approx(1.35))


def test_of_three_noisy_seeds_a_side_none_is_far():
    """As a demo of nine short runs had them; the medians' own distance of 0 is no measure."""
    sides = {
        "base": {0: 31.7, 1: 30.4, 2: 19.2},
        "cam": {0: 1.4, 1: 13.7, 2: 0.9},
        "eca": {0: 7.8, 1: 24.0, 2: 13.6},
    }
    assert outliers(sides) == []


def test_among_fewer_than_8_runs_or_equal_ones_nothing_is_far():
    assert outliers({"base": {0: 1.0, 1: 1.1, 2: 0.9}, "cam": {0: 1, 1: 1.1, 2: 0.9, 3: 99}}) == []
    assert outliers({"base": dict.fromkeys(range(8), 1.0) | {9: 5.0}}) == []

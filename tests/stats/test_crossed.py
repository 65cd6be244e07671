import numpy as np
import pytest

from yolox_attn.errors import InputError
from yolox_attn.stats.bootstrap import crossed_interval, crossed_replicates, image_replicates


def test_image_replicates_are_weighted_means_by_hand():
    values = [[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]]  # 3 images, 2 seeds
    assert image_replicates(values, [[1, 1, 1], [3, 0, 0], [0, 1, 2]]) == pytest.approx(
        np.array([[7 / 3, 70 / 3], [1, 10], [10 / 3, 100 / 3]])
    )


def test_both_sources_of_noise_are_in_the_spread():
    """Var = of images + of seeds (S - 1) / S / S: seeds are drawn S of S with replacement."""
    rng = np.random.default_rng(0)
    seeds = np.array([-1.0, 0.0, 1.0, 2.0])
    table = rng.normal(0, 0.5, (40_000, 1)) + seeds
    drawn = crossed_replicates(table, rng)
    assert drawn.mean() == pytest.approx(0.5, abs=0.02)
    assert drawn.var() == pytest.approx(0.25 + seeds.var() / 4, rel=0.03)


def test_same_stream_same_interval():
    table = np.random.default_rng(0).normal(0.5, 1, (500, 3))
    first = crossed_interval(table, np.random.default_rng(7))
    assert first == crossed_interval(table, np.random.default_rng(7))
    assert first != crossed_interval(table, np.random.default_rng(8))
    wide, narrow = first, crossed_interval(table, np.random.default_rng(7), 0.5)
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_without_noise_there_is_a_point():
    assert crossed_interval(np.full((10, 3), 0.25), np.random.default_rng(0)) == (0.25, 0.25)


@pytest.mark.parametrize("table", [np.zeros(3), np.zeros((0, 3)), [[np.nan]]])
def test_what_is_no_table_is_refused(table):
    with pytest.raises(InputError):
        crossed_replicates(table, np.random.default_rng(0))


@pytest.mark.parametrize("weights", [[[1, 1]], [1, 1, 1], [[0, 0, 0]]])
def test_weights_that_do_not_fit_are_refused(weights):
    with pytest.raises(InputError):
        image_replicates(np.zeros((3, 2)), weights)

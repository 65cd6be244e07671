import numpy as np
import pytest
from scipy import stats

from yolox_attn.errors import InputError
from yolox_attn.stats.jackknife import (
    BLOCKS,
    MOST_UNITS,
    draw_blocks,
    effective_number,
    image_noise,
    leave_out_weights,
)


def left_out_means(values: np.ndarray) -> np.ndarray:
    """(N, S) means over the images with each one left out."""
    return (values.sum(axis=0) - values) / (len(values) - 1)


def test_of_a_mean_it_is_the_standard_error_of_the_mean():
    values = np.random.default_rng(0).normal(0, 3, (40, 1))
    found = image_noise(left_out_means(values))
    assert found.of_mean == pytest.approx(stats.sem(values[:, 0]) ** 2)
    assert found.of_one == pytest.approx(found.of_mean)
    assert np.isnan(found.shared)


def test_the_shared_part_is_the_covariance_between_the_seeds():
    values = np.random.default_rng(1).normal(0, 1, (50, 3)) @ [[1, 2, 0], [0, 1, 1], [1, 0, 3]]
    matrix = np.cov(values.T) / 50
    found = image_noise(left_out_means(values))
    assert found.shared == pytest.approx((matrix.sum() - np.trace(matrix)) / 6)
    assert found.of_one == pytest.approx(np.trace(matrix) / 3)
    assert found.of_mean == pytest.approx(matrix.sum() / 9)


def test_seeds_that_the_images_move_apart_share_nothing():
    table = np.array([[1.0, -1.0], [-2.0, 2.0], [1.0, -1.0]])
    found = image_noise(table)
    assert (found.shared, found.of_mean) == (0, 0)
    assert found.of_one == pytest.approx(4 / 3 * 3)


def test_studies_at_once_are_each_alone():
    tables = np.random.default_rng(2).normal(0, 1, (4, 30, 3))
    together = image_noise(tables)
    for number in range(4):
        alone = image_noise(tables[number])
        assert together.shared[number] == pytest.approx(float(alone.shared))
        assert together.of_mean[number] == pytest.approx(float(alone.of_mean))


def test_each_image_or_group_is_left_out_once():
    rng = np.random.default_rng(0)
    assert draw_blocks(rng, 5).tolist() == [0, 1, 2, 3, 4]
    groups = np.array([0, 0, 1, 2, 1])
    assert draw_blocks(rng, 5, groups).tolist() == groups.tolist()
    expected = [[0, 0, 1, 1, 1], [1, 1, 0, 1, 0], [1, 1, 1, 0, 1]]
    assert leave_out_weights(groups).tolist() == expected


def test_very_many_units_make_blocks_of_equal_size_by_the_seed():
    images = MOST_UNITS + 501
    first = draw_blocks(np.random.default_rng(3), images)
    sizes = np.bincount(first)
    assert (len(sizes), sizes.min(), sizes.max()) == (BLOCKS, 2, 3)
    assert np.array_equal(first, draw_blocks(np.random.default_rng(3), images))
    assert not np.array_equal(first, draw_blocks(np.random.default_rng(4), images))
    assert len(np.unique(draw_blocks(np.random.default_rng(3), MOST_UNITS))) == MOST_UNITS
    groups = np.arange(images * 2) // 2  # a group is never parted
    blocks = draw_blocks(np.random.default_rng(3), images * 2, groups)
    assert np.array_equal(blocks[::2], blocks[1::2])


def test_the_effective_number_counts_unequal_groups_as_fewer():
    assert effective_number(np.arange(7)) == 7
    assert effective_number(np.array([0, 0, 0, 1, 2])) == pytest.approx(25 / 11)


@pytest.mark.parametrize(
    "table", [np.zeros((1, 3)), np.zeros(4), np.zeros((3, 0)), [[np.nan], [0]]]
)
def test_what_has_nothing_left_out_is_refused(table):
    with pytest.raises(InputError):
        image_noise(table)

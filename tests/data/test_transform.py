import cv2
import numpy as np
import pytest
from yolox.data import TrainTransform

from yolox_attn.data.transform import CountingTransform, shift_hsv
from yolox_attn.seed import seed_everything, stream

IMAGE = np.random.default_rng(0).integers(0, 255, (80, 60, 3), dtype=np.uint8)


def boxes(count: int, rng: np.random.Generator, largest: float = 40) -> np.ndarray:
    corners = rng.uniform(0, 30, (count, 2))
    sides = rng.uniform(0, largest, (count, 2))
    return np.hstack([corners, corners + sides, rng.integers(0, 5, (count, 1))])


@pytest.mark.parametrize("size", [(64, 64), (80, 60), (96, 160)])  # smaller, the same, padded
def test_it_is_yoloxs_transform_with_its_draws(size: tuple[int, int]) -> None:
    rng, before = np.random.default_rng(1), IMAGE.copy()
    for number in range(60):
        targets = boxes(number % 12, rng)
        results = []
        for transform in (TrainTransform(8, 0.5, 0.7), CountingTransform(8, 0.5, 0.7)):
            given = targets.copy()
            with stream(0, number):
                image, labels = transform(IMAGE.copy(), given, size)
                results.append((image, labels, np.random.rand()))  # noqa: NPY002
            assert np.array_equal(given, targets)
        (image, labels, draw), (our_image, our_labels, our_draw) = results
        assert np.array_equal(image, our_image)
        assert np.array_equal(labels, our_labels)
        assert (image.dtype, labels.dtype) == (our_image.dtype, our_labels.dtype)
        assert draw == our_draw
        CountingTransform(8)(IMAGE, targets, size)
        assert np.array_equal(IMAGE, before)  # YOLOX's writes into it


def test_shifted_colours_are_yoloxs() -> None:
    """All values of a coarse cube, by shifts beyond what is drawn."""
    steps = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(18, -1, 3)
    for shifts in ((0, 0, 0), (5, 30, 30), (-5, -30, -30), (200, -300, 300)):
        values = cv2.cvtColor(cube, cv2.COLOR_BGR2HSV).astype(int) + shifts
        values[..., 0] %= 180
        expected = cv2.cvtColor(values.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR)
        assert np.array_equal(shift_hsv(cube, np.array(shifts, dtype=np.int16)), expected)


def test_it_counts_what_it_leaves_out_of_the_last_image() -> None:
    transform = CountingTransform(3)
    seed_everything(0)
    large = np.array([[10.0, 10, 40, 40, 1]])
    small = np.array([[10.0, 10, 11.1, 40, 1]])  # 0.9 pixels wide at 64
    for count, cut in ((5, 2), (3, 0), (9, 6), (0, 0)):
        targets = np.vstack([np.repeat(large, count, axis=0), small, small])
        transform(IMAGE.copy(), targets, (64, 64))
        assert transform.cut == cut


def test_boxes_too_small_to_learn_are_dropped_even_if_there_are_no_others() -> None:
    targets = boxes(4, np.random.default_rng(2), largest=1.0)
    _, kept_by_yolox = TrainTransform(8)(IMAGE.copy(), targets.copy(), (64, 64))
    assert kept_by_yolox.any()
    image, labels = CountingTransform(8)(IMAGE.copy(), targets.copy(), (64, 64))
    assert labels.shape == (8, 5)
    assert not labels.any()
    plain, _ = TrainTransform(8)(IMAGE.copy(), targets[:0], (64, 64))
    assert np.array_equal(image, plain)

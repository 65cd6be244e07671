"""Sizes of images: the range of training, and --size, which sets all of them."""

import random
from typing import Any

import pytest

from yolox_attn.errors import InputError
from yolox_attn.exp import NanoExp, SmallExp, apply_overrides
from yolox_attn.exp.image_size import (
    extreme_sizes,
    height_range,
    size_overrides,
    sizes_in_words,
    training_size,
)


def sized(exp: Any, side: int) -> Any:
    apply_overrides(exp, size_overrides(exp, side))
    return exp


@pytest.mark.parametrize(
    ("kind", "side", "heights"),
    [
        (NanoExp, 416, (10, 20)),  # as published
        (NanoExp, 320, (8, 15)),
        (NanoExp, 224, (5, 11)),
        (NanoExp, 32, (1, 2)),
        (SmallExp, 640, (15, 25)),
        (SmallExp, 320, (7, 13)),  # 2.5 is rounded up
        (SmallExp, 32, (1, 1)),
    ],
)
def test_one_number_sets_input_test_and_random_size(
    kind: type, side: int, heights: tuple[int, int]
) -> None:
    exp = sized(kind(), side)
    exp.check()
    assert exp.input_size == exp.test_size == (side, side)
    assert height_range(exp) == heights
    draws = {exp.random_resize(None, 0, 0, is_distributed=False) for _ in range(300)}
    low, high = heights
    assert draws == {(32 * each, 32 * each) for each in range(low, high + 1)}


@pytest.mark.parametrize("kind", [NanoExp, SmallExp])
def test_without_multiscale_every_step_is_at_the_input_size(kind: type) -> None:
    exp = sized(kind(), 320)
    exp.multiscale = False
    draws = {exp.random_resize(None, 0, 0, is_distributed=False) for _ in range(50)}
    assert draws == {(320, 320)}
    assert extreme_sizes(exp) == [(320, 320)]
    assert sizes_in_words(exp).startswith("trained at 320x320 ")


@pytest.mark.parametrize(
    ("side", "given", "says"),
    [
        (100, (), "--size 100: must be a multiple of 32, at least 32"),
        (0, (), "--size 0: must be"),
        (320, ("test_size",), "--size 320 and test_size: --size sets it; choose one"),
        (320, ("max_epoch", "random_size"), "--size 320 and random_size"),
    ],
)
def test_what_it_cannot_be(side: int, given: tuple[str, ...], says: str) -> None:
    with pytest.raises(InputError, match=says):
        size_overrides(NanoExp(), side, given)


def test_images_that_are_not_square_are_set_by_themselves() -> None:
    exp = NanoExp()
    exp.input_size = (256, 416)
    with pytest.raises(InputError, match="input_size is 256x416; set input_size, test_size and"):
        size_overrides(exp, 320)


def test_the_sizes_that_the_network_sees() -> None:
    random.seed(0)
    exp = NanoExp()
    assert extreme_sizes(exp) == [(320, 320), (352, 352), (640, 640)]
    exp.test_size = (704, 704)
    assert extreme_sizes(exp) == [(320, 320), (352, 352), (704, 704)]
    exp.input_size = (416, 832)
    assert training_size(exp, 10) == (320, 640)
    assert extreme_sizes(exp) == [(320, 640), (352, 704), (640, 1280)]


def test_they_are_said() -> None:
    assert sizes_in_words(NanoExp()) == (
        "trained at heights 320 to 640 (input_size 416x416), judged at 416x416"
    )
    exp = SmallExp()
    exp.multiscale_range = 0
    assert sizes_in_words(exp) == "trained at 640x640 (input_size 640x640), judged at 640x640"

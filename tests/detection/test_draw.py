"""Boxes where they are, in colours that tell classes apart, on a copy."""

import numpy as np
import pytest

from yolox_attn.detection import Detections
from yolox_attn.detection.draw import colour, draw


def found(*boxes: list[float], names: tuple[str, ...] = ("cat", "猫")) -> Detections:
    numbers = np.arange(len(boxes)) % len(names)
    corners = np.array(boxes, dtype=np.float32).reshape(-1, 4)
    return Detections(corners, np.full(len(boxes), 0.9, np.float32), numbers, names)


def test_a_box_is_drawn_on_its_border_and_not_on_the_image_given() -> None:
    image = np.zeros((200, 200, 3), np.uint8)
    drawn = draw(image, found([50, 60, 150, 160]))
    assert not image.any()
    assert tuple(drawn[160, 100]) == tuple(drawn[110, 150]) == colour(0)
    assert not drawn[110, 100].any()  # inside
    assert not drawn[190, 190].any()


def test_names_of_any_language_and_boxes_at_any_edge_are_drawn() -> None:
    image = np.full((60, 80, 3), 128, np.uint8)
    drawn = draw(image, found([0, 0, 80, 60], [70, 50, 80, 60]))
    assert (drawn != image).any()
    assert np.array_equal(draw(image, found()), image)


@pytest.mark.parametrize("number", range(20))
def test_neighbouring_classes_have_other_colours(number: int) -> None:
    ours, next_one = np.array(colour(number)), np.array(colour(number + 1))
    assert np.abs(ours - next_one).max() > 60

"""YOLOX's mosaic with a mixup in fewer passes over the image, which gives the same bits."""

import random

import cv2
import numpy as np
from yolox.data import MosaicDetection
from yolox.utils import adjust_box_anns

from yolox_attn.data.transform import PADDING, fitted, scale_to_fit


class MosaicMixup(MosaicDetection):  # type: ignore[misc]
    """YOLOX's MosaicDetection bit for bit, with its draws."""

    def mixup(
        self, origin_img: np.ndarray, origin_labels: np.ndarray, input_dim: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean of an image and a scaled, mirrored, cropped other one, with both's boxes.

        Args:
            origin_img: (H, W, 3), uint8.
            origin_labels: (n, 5), x1 y1 x2 y2 in pixels and class.
            input_dim: (height, width) that the other image is padded to before it is scaled.
        """
        zoom = random.uniform(*self.mixup_scale)
        mirrored = random.uniform(0, 1) > 0.5
        other, labels = self._random_image_with_boxes()
        scale = scale_to_fit(other, input_dim) * zoom
        other = padded(fitted(other, input_dim), input_dim)
        other = cv2.resize(other, (int(other.shape[1] * zoom), int(other.shape[0] * zoom)))
        height, width = other.shape[:2]
        top, left = (
            random.randint(0, side - window - 1) if side > window else 0
            for side, window in zip((height, width), origin_img.shape, strict=False)
        )
        labels = labels.copy()  # a data set may give its own array
        boxes = adjust_box_anns(labels[:, :4], scale, 0, 0, width, height)
        if mirrored:
            other = cv2.flip(other, 1)
            boxes[:, 0::2] = width - boxes[:, 2::-2]
        window_height, window_width = origin_img.shape[:2]
        boxes[:, 0::2] = (boxes[:, 0::2] - left).clip(0, window_width)
        boxes[:, 1::2] = (boxes[:, 1::2] - top).clip(0, window_height)
        window = other[top : top + window_height, left : left + window_width]
        return mean_with(origin_img, window), np.vstack([origin_labels, labels])

    def _random_image_with_boxes(self) -> tuple[np.ndarray, np.ndarray]:
        index = random.randint(0, len(self) - 1)
        while len(self._dataset.load_anno(index)) == 0:
            index = random.randint(0, len(self) - 1)
        image, labels, *_ = self._dataset.pull_item(index)
        return image, labels


def padded(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image (h, w, 3) at the top left of a grey one of `size` (height, width)."""
    if image.shape[:2] == tuple(size):
        return image
    canvas = np.full((*size, 3), PADDING, dtype=np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas


def mean_with(image: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the mean of two uint8 images, rounded down; `other` is black where it does not reach.

    The bits that both have, and half of those that one has: no sum that needs more than 8 bits.
    """
    mean = image >> 1
    height, width = other.shape[:2]
    covered = image[:height, :width]
    mean[:height, :width] = (covered & other) + ((covered ^ other) >> 1)
    return mean

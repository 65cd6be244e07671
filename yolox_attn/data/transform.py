"""YOLOX's training transform in fewer passes over the image; it says what it cuts."""

import random

import cv2
import numpy as np
from yolox.data import TrainTransform
from yolox.utils import xyxy2cxcywh

MIN_SIDE = 1.0  # pixels at input size: YOLOX drops what is not larger
PADDING = 114  # YOLOX's grey
HSV_GAINS = (5, 30, 30)  # YOLOX's: the largest shift of hue (of 180), saturation and value (of 255)


class CountingTransform(TrainTransform):  # type: ignore[misc]
    """YOLOX's transform bit for bit, with its draws, except where it is wrong.

    Where all boxes shrink to at most 1 px YOLOX keeps them all; here they are dropped.

    Attributes:
        cut: labels of the last image that did not fit into `max_labels`.
    """

    cut = 0

    def __call__(
        self, image: np.ndarray, targets: np.ndarray, input_dim: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return image (3, H, W), float32, and labels (max_labels, 5): class cx cy w h, zeros last.

        Args:
            image: (h, w, 3), BGR, uint8; it is not written into.
            targets: (n, 5), x1 y1 x2 y2 in pixels and class.
            input_dim: (H, W).
        """
        boxes, classes = targets[:, :4].copy(), targets[:, 4:]
        # All draws come first: where no box stays, YOLOX gives back the image as it was.
        shifts = random_hsv_shifts() if len(boxes) and random.random() < self.hsv_prob else None
        mirrored = len(boxes) > 0 and random.random() < self.flip_prob
        if mirrored:
            boxes[:, 0::2] = image.shape[1] - boxes[:, 2::-2]
        boxes = xyxy2cxcywh(boxes)
        boxes *= scale_to_fit(image, input_dim)
        visible = boxes[:, 2:].min(axis=1) > MIN_SIDE
        if visible.any():
            image = image if shifts is None else shift_hsv(image, shifts)
            image = cv2.flip(image, 1) if mirrored else image
        rows = np.hstack([classes, boxes])[visible]
        labels = np.zeros((self.max_labels, 5), dtype=np.float32)
        labels[: len(rows)] = rows[: self.max_labels]
        self.cut = max(0, len(rows) - self.max_labels)
        return padded_planes(fitted(image, input_dim), input_dim), labels


def random_hsv_shifts() -> np.ndarray:
    """Draw, from numpy's global stream as YOLOX does, the shifts of hue, saturation and value."""
    shifts = np.random.uniform(-1, 1, 3) * HSV_GAINS  # noqa: NPY002
    shifts *= np.random.randint(0, 2, 3)  # noqa: NPY002 - each of the three, or not
    return shifts.astype(np.int16)


def shift_hsv(image: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """Return a BGR image (H, W, 3), uint8, with hue, saturation and value shifted.

    Hue goes round at 180, the others stop at 0 and 255. A table of the 256 values of each channel
    takes one pass where arithmetic on the image takes ten, in 16 bits.
    """
    values = np.arange(256, dtype=np.int16)[:, None] + shifts  # (256, 3)
    values[:, 0] %= 180
    table = values.clip(0, 255).astype(np.uint8)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV)
    shifted = cv2.LUT(hsv, table[None])
    return np.asarray(cv2.cvtColor(shifted, cv2.COLOR_HSV2BGR, dst=hsv))


def scale_to_fit(image: np.ndarray, size: tuple[int, int]) -> float:
    """Return the factor by which an image (H, W, 3) just fits into `size` (height, width)."""
    scale: float = min(size[0] / image.shape[0], size[1] / image.shape[1])
    return scale


def fitted(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image (H, W, 3) as large as it fits into `size`; itself where it does already."""
    scale = scale_to_fit(image, size)
    height, width = int(image.shape[0] * scale), int(image.shape[1] * scale)
    if image.shape[:2] == (height, width):
        return image
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_LINEAR))


def padded_planes(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an image (h, w, 3) at the top left of the network's input (3, H, W), float32."""
    height, width = image.shape[:2]
    planes = np.empty((3, *size), dtype=np.float32)
    planes[:, height:] = PADDING
    planes[:, :height, width:] = PADDING
    for plane, channel in zip(planes, cv2.split(image), strict=True):
        plane[:height, :width] = channel
    return planes

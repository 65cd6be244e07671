"""YOLOX's training transform, which says what it cuts."""

import numpy as np
from yolox.data import TrainTransform

MIN_SIDE = 1.0  # pixels at input size: YOLOX drops what is not larger


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
        """Return image (3, H, W) and labels (max_labels, 5): class cx cy w h, zero rows last."""
        scale = min(input_dim[0] / image.shape[0], input_dim[1] / image.shape[1])
        sides = (targets[:, 2:4] - targets[:, :2]) * scale
        visible = int((sides.min(axis=1) > MIN_SIDE).sum())  # before YOLOX writes into the image
        pixels, labels = super().__call__(image, targets, input_dim)
        if not visible:
            labels = np.zeros_like(labels)
        self.cut = max(0, visible - self.max_labels)
        return pixels, labels

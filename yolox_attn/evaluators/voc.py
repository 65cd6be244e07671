"""YOLOX's Pascal VOC evaluator on any device."""

import contextlib
import io
import math
import tempfile
from typing import Any

import numpy as np
import torch
from torch import Tensor
from yolox.data.datasets import VOCDetection
from yolox.data.datasets.voc_classes import VOC_CLASSES
from yolox.evaluators import VOCEvaluator as StockVOCEvaluator

from yolox_attn.errors import InputError
from yolox_attn.evaluators.predict import AnyDevice, Rows, timing_line, to_results


class VOCEvaluator(AnyDevice, StockVOCEvaluator):  # type: ignore[misc]
    """Measures the set's own VOC metrics, AP and AP50; made as YOLOX's, and with its attributes.

    Image ids count from 0, and category ids are classes.
    """

    def evaluate(self, *args: Any, **options: Any) -> tuple[float, float, str]:
        """Return AP, AP50 (fractions; 0 where undefined) and a summary, as `AnyDevice` does.

        Raises:
            InputError: YOLOX's VOC set would judge more classes than there are.
        """
        judge = getattr(type(self.dataloader.dataset), "evaluate_detections", None)
        if judge is VOCDetection.evaluate_detections and self.num_classes < len(VOC_CLASSES):
            raise InputError(
                f"num_classes is {self.num_classes}, but yolox's VOC set judges the "
                f"{len(VOC_CLASSES)} VOC classes; give it its own evaluate_detections or use COCO"
            )
        return super().evaluate(*args, **options)

    def convert(self, rows: Rows) -> Rows:
        self.detections = to_results(rows, list(range(self.num_classes)), self.num_classes)
        return rows

    def evaluate_prediction(
        self, data_dict: Rows, statistics: dict[str, float]
    ) -> tuple[float, float, str]:
        """Let the set judge rows of `predict`; `statistics` is the timing."""
        boxes = by_class(data_dict, self.num_classes, self.num_images)
        log = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(log):
            scores = self.dataloader.dataset.evaluate_detections(boxes, folder)
        ap, ap50 = (float(score) if math.isfinite(score) else None for score in scores)
        self.metrics = {"AP": ap, "AP50": ap50}
        summary = timing_line(statistics)
        if not any(len(image) for image in data_dict.values()):
            summary += f"no detections at confidence {self.confthre}\n"
        lines = [f"{name} = {value}" for name, value in self.metrics.items()]
        lines += [line for line in log.getvalue().splitlines() if line.startswith("AP for ")]
        return ap or 0.0, ap50 or 0.0, summary + "".join(f"{line}\n" for line in lines)


class Boxes(np.ndarray[Any, np.dtype[np.float32]]):
    """An array that differs from [], which YOLOX's set asks and numpy >= 1.25 cannot answer."""

    def __eq__(self, other: object) -> Any:
        return False if isinstance(other, list) else super().__eq__(other)


def by_class(rows: Rows, num_classes: int, images: int) -> list[list[Boxes]]:
    """Sort rows of `predict` into [class][image] arrays of x1, y1, x2, y2, score.

    Raises:
        InputError: an image of the set was never predicted.
    """
    if missing := sorted(set(range(images)) - rows.keys()):
        raise InputError(
            f"the loader left out {len(missing)} of {images} images, the first is number "
            f"{missing[0]}; VOC metrics need them all"
        )
    boxes: list[list[Boxes]] = [[] for _ in range(num_classes)]
    for index in range(images):
        image = rows[index]
        scored: Tensor = torch.cat((image[:, :4], image[:, 4:5] * image[:, 5:6]), dim=1)
        for label in range(num_classes):
            boxes[label].append(scored[image[:, 6] == label].numpy().view(Boxes))
    return boxes

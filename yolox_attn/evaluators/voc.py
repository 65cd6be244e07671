"""The host's Pascal VOC evaluator on any device."""

import contextlib
import io
import math
import tempfile
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from yolox.data.datasets import VOCDetection
from yolox.data.datasets.voc_classes import VOC_CLASSES
from yolox.evaluators import VOCEvaluator as HostVOCEvaluator
from yolox.utils import is_main_process, synchronize

from yolox_attn.errors import InputError
from yolox_attn.evaluators.predict import collect, in_order, predict
from yolox_attn.evaluators.results import timing_line, to_results
from yolox_attn.evaluators.rules import rules_of


class Boxes(np.ndarray[Any, np.dtype[np.float32]]):
    """An array that differs from [], which the host's set asks and numpy >= 1.25 cannot answer."""

    def __eq__(self, other: object) -> Any:
        return False if isinstance(other, list) else super().__eq__(other)


def by_class(found: dict[int, Tensor], num_classes: int, images: int) -> list[list[Boxes]]:
    """Sort rows of `predict` into [class][image] arrays of x1, y1, x2, y2, score.

    Raises:
        InputError: an image of the set was never predicted.
    """
    if missing := sorted(set(range(images)) - found.keys()):
        raise InputError(
            f"the loader left out {len(missing)} of {images} images, the first is number "
            f"{missing[0]}; VOC figures need them all"
        )
    boxes: list[list[Boxes]] = [[] for _ in range(num_classes)]
    for index in range(images):
        rows = found[index]
        scored = torch.cat((rows[:, :4], (rows[:, 4] * rows[:, 5])[:, None]), dim=1)
        for label in range(num_classes):
            boxes[label].append(scored[rows[:, 6] == label].numpy().view(Boxes))
    return boxes


class VOCEvaluator(HostVOCEvaluator):  # type: ignore[misc]
    """Measures the set's own VOC figures where the model is: CPU, CUDA or MPS.

    Made as the host's; the attributes that `evaluate` leaves are those of `COCOEvaluator`, with
    figures AP and AP50 alone, image ids that count from 0 and category ids that are classes.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.autocast_dtype: torch.dtype | None = None
        self.figures: dict[str, float | None] = {}
        self.class_ap: dict[str, float | None] = {}
        self.detections: list[dict[str, Any]] = []
        self.timing: dict[str, float] = {}

    def evaluate(  # noqa: PLR0913 - the host's signature
        self,
        model: nn.Module,
        distributed: bool = False,  # noqa: FBT001, FBT002
        half: bool = False,  # noqa: FBT001, FBT002
        trt_file: None = None,
        decoder: Any = None,
        test_size: Any = None,
    ) -> tuple[float, float, str]:
        """Return AP, AP50 (fractions; 0 where undefined) and a summary, as `COCOEvaluator` does."""
        self._check_classes()
        rules = rules_of(self, model, half=half, trt_file=trt_file, decoder=decoder)
        found, timing = predict(model, self.dataloader, rules)
        if distributed:
            found, timing = collect(found, timing)
        result = 0.0, 0.0, ""
        if is_main_process():
            found = in_order(found, self.dataloader.dataset)
            classes = list(range(self.num_classes))
            self.detections = to_results(found, classes, self.num_classes)
            self.timing = timing.as_dict()
            result = self.evaluate_prediction(found, self.timing)
        synchronize()
        return result

    def evaluate_prediction(
        self, data_dict: dict[int, Tensor], statistics: dict[str, float]
    ) -> tuple[float, float, str]:
        """Let the set judge rows of `predict`; `statistics` is the timing."""
        boxes = by_class(data_dict, self.num_classes, self.num_images)
        log = io.StringIO()
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(log):
            scores = self.dataloader.dataset.evaluate_detections(boxes, folder)
        ap, ap50 = (float(score) if math.isfinite(score) else None for score in scores)
        self.figures = {"AP": ap, "AP50": ap50}
        summary = timing_line(statistics)
        if not any(len(rows) for rows in data_dict.values()):
            summary += f"no detections at confidence {self.confthre}\n"
        summary += "".join(f"{name} = {value}\n" for name, value in self.figures.items())
        return ap or 0.0, ap50 or 0.0, summary + ap50_lines(log.getvalue())

    def _check_classes(self) -> None:
        judge = getattr(type(self.dataloader.dataset), "evaluate_detections", None)
        own = judge is not VOCDetection.evaluate_detections
        if not own and self.num_classes < len(VOC_CLASSES):
            raise InputError(
                f"num_classes is {self.num_classes}, but yolox's VOC set judges the "
                f"{len(VOC_CLASSES)} VOC classes; give it its own evaluate_detections or use COCO"
            )


def ap50_lines(log: str) -> str:
    """Pick the AP of each class out of what the set printed."""
    return "".join(f"{line}\n" for line in log.splitlines() if line.startswith("AP for "))

"""The host's COCO evaluator on any device, with its figures and detections kept."""

from typing import Any

import torch
from loguru import logger
from torch import nn
from yolox.evaluators import COCOEvaluator as HostCOCOEvaluator
from yolox.evaluators.coco_evaluator import per_class_AP_table, per_class_AR_table
from yolox.utils import is_main_process, synchronize

from yolox_attn.evaluators.figures import Judgement, class_names, judge
from yolox_attn.evaluators.predict import collect, in_order, predict
from yolox_attn.evaluators.results import timing_line, to_results
from yolox_attn.evaluators.rules import rules_of


class COCOEvaluator(HostCOCOEvaluator):  # type: ignore[misc]
    """Measures AP where the model is: CPU, CUDA or MPS.

    Made as the host's, and with the same attributes. After `evaluate`, on rank 0:

    Attributes:
        autocast_dtype: mixed precision of the forward pass; None is full precision.
        figures: the 12 COCO figures by name, as fractions; None where the set has no such object.
        class_ap: AP by class name, likewise.
        detections: COCO results, plain numbers.
        timing: milliseconds an image of forward and of NMS, images they were taken over.
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
        """Return AP, AP50 (fractions; 0 where undefined) and a summary; ranks > 0 get zeros.

        Args:
            model: is evaluated where it is, and left in the mode it was in.
            distributed: every rank evaluates its share and rank 0 judges.
            half: float16 autocast, on CUDA only.
            trt_file: refused.
            decoder: applied to the model's outputs, if given.
            test_size: part of the host's signature for TensorRT; `img_size` rules.
        """
        rules = rules_of(self, model, half=half, trt_file=trt_file, decoder=decoder)
        found, timing = predict(model, self.dataloader, rules)
        if distributed:
            found, timing = collect(found, timing)
        result = 0.0, 0.0, ""
        if is_main_process():
            found = in_order(found, self.dataloader.dataset)
            self.detections = to_results(found, self.dataloader.dataset.class_ids, self.num_classes)
            self.timing = timing.as_dict()
            result = self.evaluate_prediction(self.detections, self.timing)
            self._warn_of_unseen(set(found))
        synchronize()
        return result

    def evaluate_prediction(
        self, data_dict: list[dict[str, Any]], statistics: dict[str, float]
    ) -> tuple[float, float, str]:
        """Judge COCO results; `statistics` is the timing."""
        judgement = judge(self.dataloader.dataset.coco, data_dict)
        self.figures, self.class_ap = judgement.figures, judgement.class_ap
        summary = timing_line(statistics) + self._notes(data_dict) + judgement.text
        return (
            self.figures["AP"] or 0.0,
            self.figures["AP50"] or 0.0,
            summary + self._tables(judgement),
        )

    def _notes(self, detections: list[dict[str, Any]]) -> str:
        notes = ""
        if not detections:
            notes += f"no detections at confidence {self.confthre}: every defined figure is 0\n"
        if not self.dataloader.dataset.coco.dataset.get("annotations"):
            notes += "the set has no annotations: no figure is defined\n"
        return notes

    def _tables(self, judgement: Judgement) -> str:
        names, text = class_names(self.dataloader.dataset.coco), ""
        if self.per_class_AP:
            table = per_class_AP_table(judgement.evaluation, class_names=names)
            text += f"per class AP:\n{table}\n"
        if self.per_class_AR:
            table = per_class_AR_table(judgement.evaluation, class_names=names)
            text += f"per class AR:\n{table}\n"
        return text

    def _warn_of_unseen(self, seen: set[int]) -> None:
        images = self.dataloader.dataset.coco.imgs
        if unseen := len(images.keys() - seen):
            logger.warning(
                f"the loader left out {unseen} of the set's {len(images)} images: "
                "their objects count as missed"
            )

"""YOLOX's COCO evaluator on any device, with its metrics and detections kept."""

from typing import Any

from loguru import logger
from yolox.evaluators import COCOEvaluator as StockCOCOEvaluator
from yolox.evaluators.coco_evaluator import per_class_AP_table, per_class_AR_table

from yolox_attn.coco.evaluate import evaluate
from yolox_attn.evaluators.predict import AnyDevice, Rows, timing_line, to_results


class COCOEvaluator(AnyDevice, StockCOCOEvaluator):  # type: ignore[misc]
    """Measures the 12 COCO metrics by pycocotools; made as YOLOX's, and with its attributes."""

    def convert(self, rows: Rows) -> list[dict[str, Any]]:
        dataset = self.dataloader.dataset
        self.detections = to_results(rows, dataset.class_ids, self.num_classes)
        if unseen := len(dataset.coco.imgs.keys() - rows.keys()):
            logger.warning(
                f"the loader left out {unseen} of the set's {len(dataset.coco.imgs)} images: "
                "their objects count as missed"
            )
        return self.detections

    def evaluate_prediction(
        self, data_dict: list[dict[str, Any]], statistics: dict[str, float]
    ) -> tuple[float, float, str]:
        """Judge COCO results; `statistics` is the timing."""
        coco = self.dataloader.dataset.coco
        result = evaluate(coco, data_dict)
        self.metrics, self.class_ap = result.metrics, result.class_ap
        summary = timing_line(statistics)
        if not data_dict:
            summary += f"no detections at confidence {self.confthre}: every defined metric is 0\n"
        if not coco.dataset.get("annotations"):
            summary += "the set has no annotations: no metric is defined\n"
        summary += result.text
        names = list(result.class_ap)
        if self.per_class_AP:
            table = per_class_AP_table(result.cocoeval, class_names=names)
            summary += f"per class AP:\n{table}\n"
        if self.per_class_AR:
            table = per_class_AR_table(result.cocoeval, class_names=names)
            summary += f"per class AR:\n{table}\n"
        return self.metrics["AP"] or 0.0, self.metrics["AP50"] or 0.0, summary

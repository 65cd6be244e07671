"""AP on any device: plain numbers, with the detections behind them."""

from typing import Any

from yolox.evaluators import COCOEvaluator as StockCOCOEvaluator
from yolox.evaluators import VOCEvaluator as StockVOCEvaluator

from yolox_attn.evaluators.coco import COCOEvaluator
from yolox_attn.evaluators.predict import AnyDevice
from yolox_attn.evaluators.voc import VOCEvaluator

__all__ = ["AnyDevice", "COCOEvaluator", "VOCEvaluator", "adapt_evaluator"]

OURS: dict[type, type] = {StockCOCOEvaluator: COCOEvaluator, StockVOCEvaluator: VOCEvaluator}


def adapt_evaluator(evaluator: Any) -> Any:
    """Return ours with all the attributes of a stock evaluator; any other class's stays itself."""
    ours = OURS.get(type(evaluator))
    if ours is None:
        return evaluator
    adapted = ours(
        dataloader=evaluator.dataloader,
        img_size=evaluator.img_size,
        confthre=evaluator.confthre,
        nmsthre=evaluator.nmsthre,
        num_classes=evaluator.num_classes,
    )
    vars(adapted).update(vars(evaluator))
    return adapted

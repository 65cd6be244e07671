"""From an evaluator that needs CUDA to the same one that does not."""

from typing import Any

from yolox.evaluators import COCOEvaluator as HostCOCOEvaluator
from yolox.evaluators import VOCEvaluator as HostVOCEvaluator

from yolox_attn.evaluators.coco import COCOEvaluator
from yolox_attn.evaluators.voc import VOCEvaluator

OURS: dict[type, type] = {HostCOCOEvaluator: COCOEvaluator, HostVOCEvaluator: VOCEvaluator}


def adapt_evaluator(evaluator: Any) -> Any:
    """Return ours with all the attributes of a host evaluator; any other class's stays itself."""
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

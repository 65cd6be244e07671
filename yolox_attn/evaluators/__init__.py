"""AP on any device: plain numbers, with the detections behind them."""

from yolox_attn.evaluators.adapt import adapt_evaluator
from yolox_attn.evaluators.coco import COCOEvaluator
from yolox_attn.evaluators.figures import FIGURES, Judgement, judge
from yolox_attn.evaluators.voc import VOCEvaluator

__all__ = ["FIGURES", "COCOEvaluator", "Judgement", "VOCEvaluator", "adapt_evaluator", "judge"]

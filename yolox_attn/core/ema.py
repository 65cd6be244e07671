"""The moving average of the weights, which is what is judged: YOLOX's, its speed a setting."""

import math
from typing import Any

from torch import nn
from yolox.utils import ModelEMA

EMA_DECAY, EMA_TAU = 0.9998, 2000.0  # YOLOX's


def build_ema(exp: Any, model: nn.Module) -> ModelEMA:
    """Return YOLOX's average of `model`, with the decay and its rise that `exp` sets.

    After n steps it keeps the share ema_decay (1 - exp(-n / ema_tau)) of itself.
    """
    decay, tau = getattr(exp, "ema_decay", EMA_DECAY), getattr(exp, "ema_tau", EMA_TAU)
    ema = ModelEMA(model, decay)
    ema.decay = lambda step: decay * (1 - math.exp(-step / tau))
    return ema

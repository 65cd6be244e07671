"""The average of the weights: YOLOX's by default, and as fast as the experiment says."""

import copy
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from yolox.utils import ModelEMA

from yolox_attn.core.ema import build_ema
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp


def averages(ema: ModelEMA, model: nn.Linear, steps: int) -> list[float]:
    """What the average of a weight is while the weight itself is 1, 2, 3 ..."""
    seen = []
    for step in range(steps):
        with torch.no_grad():
            model.weight.fill_(step + 1.0)
        ema.update(model)
        seen.append(float(ema.ema.weight))
    return seen


@pytest.mark.parametrize("exp", [AttentionExp(), SimpleNamespace()], ids=["ours", "stock"])
def test_without_a_word_it_is_yolox_to_the_bit(exp):
    model = nn.Linear(1, 1, bias=False)
    ours = averages(build_ema(exp, model), copy.deepcopy(model), 50)
    assert ours == averages(ModelEMA(model, 0.9998), copy.deepcopy(model), 50)


def test_the_settings_say_how_fast_it_forgets():
    exp = SimpleNamespace(ema_decay=0.9, ema_tau=5.0)
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    value, expected = 0.0, []
    for step in range(1, 21):
        keeps = 0.9 * (1 - math.exp(-step / 5))
        value = keeps * value + (1 - keeps) * step
        expected.append(value)
    assert averages(build_ema(exp, model), model, 20) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("key", "value"), [("ema_tau", 0.0), ("ema_decay", 1.5)])
def test_a_speed_that_cannot_be_is_refused(key, value):
    exp = AttentionExp()
    setattr(exp, key, value)
    with pytest.raises(InputError, match=f"{key} {value}"):
        exp.check()

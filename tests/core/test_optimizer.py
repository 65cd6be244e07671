from importlib import import_module

import pytest
import torch
from torch import nn

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.core import build_sgd, parameter_groups
from yolox_attn.exp import NanoExp


def names(model: nn.Module) -> list[list[str]]:
    by_id = {id(p): name for name, p in model.named_parameters()}
    return [sorted(by_id[id(p)] for p in group) for group in parameter_groups(model)]


def test_a_stock_model_has_yoloxs_groups_tensor_by_tensor() -> None:
    exp = import_module("yolox.exp.default.yolox_nano").Exp()
    model = exp.get_model()
    stock = exp.get_optimizer(8)
    ours = build_sgd(model, 0.0, exp.momentum, exp.weight_decay)
    for theirs, mine in zip(stock.param_groups, ours.param_groups, strict=True):
        assert [id(p) for p in theirs["params"]] == [id(p) for p in mine["params"]]
        assert {k: v for k, v in theirs.items() if k != "params"} == {
            k: v for k, v in mine.items() if k != "params"
        }
    ours.load_state_dict(stock.state_dict())


@pytest.mark.parametrize("init", ["published", "identity"])
@pytest.mark.parametrize("name", sorted(ATTENTIONS))
def test_every_trainable_parameter_is_in_exactly_one_group(name: str, init: str) -> None:
    exp = NanoExp()
    exp.attention, exp.attention_init = name, init
    model = exp.get_model()
    grouped = [id(p) for g in exp.get_optimizer(8).param_groups for p in g["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())


def test_rates_and_gamma_are_trained_without_decay() -> None:
    exp = NanoExp()
    exp.attention, exp.attention_init = "acmix", "identity"
    scales, _, _ = names(exp.get_model())
    place = "backbone.backbone.attention.dark4."
    assert {place + "gamma", place + "block.rate1", place + "block.rate2"} <= set(scales)
    assert exp.get_optimizer(8).param_groups[0]["weight_decay"] == 0


class Awkward(nn.Module):
    """What YOLOX misses, or fails on."""

    def __init__(self) -> None:
        super().__init__()
        self.subnet = nn.Sequential(nn.Linear(4, 4), nn.SiLU())  # "bn" inside a word
        self.norm = nn.GroupNorm(2, 4)
        self.attention = nn.MultiheadAttention(4, 2)
        self.table = nn.Parameter(torch.zeros(3, 4))
        self.scale = nn.Parameter(torch.zeros(()))
        self.flat = nn.BatchNorm2d(4, affine=False)
        self.frozen = nn.Linear(4, 4).requires_grad_(requires_grad=False)
        self.twin = self.subnet[0]


def test_awkward_modules_are_sorted_too() -> None:
    scales, weights, biases = names(Awkward())
    assert scales == ["attention.in_proj_bias", "norm.weight", "scale"]
    assert weights == [
        "attention.in_proj_weight", "attention.out_proj.weight", "subnet.0.weight", "table"
    ]  # fmt: skip
    assert biases == ["attention.out_proj.bias", "norm.bias", "subnet.0.bias"]

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from yolox_attn.errors import InputError
from yolox_attn.models.freeze import freeze, freeze_batchnorm

BACKBONE = "backbone.backbone"


def frozen_names(model: nn.Module) -> set[str]:
    return {name for name, parameter in model.named_parameters() if not parameter.requires_grad}


def standing(model: nn.Module) -> set[str]:
    return {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d) and not module.training
    }


def test_a_module_stands_for_all_below_it(tiny: Callable[..., Any]) -> None:
    model = tiny().get_model()
    names = freeze(model, [f"{BACKBONE}.dark2"])
    assert set(names) == frozen_names(model)
    assert names == [
        name for name, _ in model.named_parameters() if name.startswith(f"{BACKBONE}.dark2.")
    ]
    assert names


@pytest.mark.parametrize(
    ("pattern", "example"),
    [
        ("head.cls_preds.*.bias", "head.cls_preds.1.bias"),
        ("head.stems.[01]", "head.stems.0.conv.weight"),
        ("*.bn", f"{BACKBONE}.stem.conv.dconv.bn.weight"),
        ("head.reg_preds.0.weight", "head.reg_preds.0.weight"),
    ],
)
def test_patterns_are_a_shells(tiny: Callable[..., Any], pattern: str, example: str) -> None:
    model = tiny().get_model()
    if "dconv" in example:
        example = next(n for n, _ in model.named_parameters() if n.endswith(".bn.weight"))
    assert example in freeze(model, [pattern])
    assert example in frozen_names(model)


def test_frozen_batch_norm_stands_still_after_every_train(tiny: Callable[..., Any]) -> None:
    model = tiny().get_model()
    patterns = [f"{BACKBONE}.stem", "*.dark2.*.bn.*"]
    freeze(model, patterns)
    before = {name: value.clone() for name, value in model.named_buffers()}
    for _ in range(2):
        model.train()
        freeze_batchnorm(model, patterns)
    assert standing(model) == {
        name
        for name, module in model.named_modules()
        if isinstance(module, nn.BatchNorm2d)
        and (f"{BACKBONE}.stem." in name or (".dark2." in name and name.endswith(".bn")))
    }
    assert model.backbone.backbone.stem.training  # other parts may mean something else by eval
    model.backbone(torch.rand(2, 3, 64, 64))
    changed = {name for name, value in model.named_buffers() if not value.equal(before[name])}
    assert not any(".stem." in name for name in changed)
    assert any(".dark3." in name for name in changed)


def test_a_batch_norm_that_learns_in_part_goes_on(tiny: Callable[..., Any]) -> None:
    model = tiny().get_model()
    freeze(model, ["*.bn.weight"])
    model.train()
    freeze_batchnorm(model, ["*.bn.weight"])
    assert not standing(model)


def test_a_pattern_without_a_parameter_is_refused_with_close_names(
    tiny: Callable[..., Any],
) -> None:
    model = tiny().get_model()
    with pytest.raises(InputError, match=r"did you mean .*backbone\.backbone\.dark2"):
        freeze(model, ["backbone.backbone.drak2"])
    with pytest.raises(InputError, match="no parameter of that name"):
        freeze(model, ["head", ""])
    assert not frozen_names(model)  # nothing half done


def test_freezing_everything_is_refused(tiny: Callable[..., Any]) -> None:
    model = tiny().get_model()
    with pytest.raises(InputError, match="nothing would be left"):
        freeze(model, ["backbone", "head"])
    assert not frozen_names(model)


def test_no_pattern_freezes_nothing(tiny: Callable[..., Any]) -> None:
    model = tiny().get_model()
    assert freeze(model, []) == []
    freeze_batchnorm(model, [])
    assert not standing(model)

"""Weights that go into a detector fit it, and what does not is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from yolox_attn.core import load_weights, save_checkpoint
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp


def saved(path: Path, exp: AttentionExp) -> Path:
    save_checkpoint({"model": exp.get_model().state_dict()}, path)
    return path


def test_a_stock_checkpoint_fills_all_but_the_attention(
    tiny: Callable, tmp_path: Path, warnings: list[str]
) -> None:
    given = tiny().get_model().state_dict()
    stock = tmp_path / "stock.pth"
    save_checkpoint({"model": {f"module.{k}": v for k, v in given.items()}}, stock)  # by DDP
    torch.manual_seed(7)
    model = tiny(attention="cam").get_model()
    assert "9 attention tensors start fresh" in str(load_weights(model, stock))
    state = model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in given.items())
    assert len(warnings) == 1
    assert "identity starts exactly where the checkpoint was" in warnings[0]


def test_identity_needs_no_warning(tiny: Callable, tmp_path: Path, warnings: list[str]) -> None:
    stock = saved(tmp_path / "stock.pth", tiny())
    model = tiny(attention="cam", attention_init="identity").get_model()
    load_weights(model, stock, attention_init="identity")
    assert not warnings


def test_what_is_judged_lacks_nothing_but_blocks_that_change_nothing(
    tiny: Callable, tmp_path: Path
) -> None:
    stock = saved(tmp_path / "stock.pth", tiny())
    identity = tiny(attention="cam", attention_init="identity").get_model()
    load_weights(identity, stock, attention_init="identity", complete=True)
    published = tiny(attention="cam").get_model()
    with pytest.raises(InputError, match=r"stock\.pth lacks 9 tensors of attention, as back"):
        load_weights(published, stock, complete=True)
    state = identity.state_dict()
    torch.save({k: v for k, v in state.items() if "dark4.block" not in k}, tmp_path / "half.pth")
    with pytest.raises(InputError, match=r"half\.pth lacks .* tensors of attention"):
        load_weights(identity, tmp_path / "half.pth", attention_init="identity", complete=True)


def test_other_classes_start_fresh_unless_they_must_be_the_same(
    tiny: Callable, tmp_path: Path
) -> None:
    path = saved(tmp_path / "eighty.pth", tiny(num_classes=80))
    assert "6 class tensors start fresh" in str(load_weights(tiny().get_model(), path))
    with pytest.raises(InputError, match="a class layer of 80 classes, the data here have 5"):
        load_weights(tiny().get_model(), path, complete=True)


@pytest.mark.parametrize("shape", [(), (5,), (5, 7, 1, 1)])
def test_a_class_layer_of_another_kind_is_another_model(
    shape: tuple[int, ...], tiny: Callable, tmp_path: Path
) -> None:
    weights = tiny().get_model().state_dict() | {"head.cls_preds.0.weight": torch.zeros(shape)}
    torch.save({"model": weights}, tmp_path / "other.pth")
    for complete in (False, True):
        with pytest.raises(InputError, match=r"holds another model: head\.cls_preds\.0\.weight is"):
            load_weights(tiny().get_model(), tmp_path / "other.pth", complete=complete)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"depth": 0.67}, "it has .*unknown here"),
        ({"attention": "se"}, "it has backbone.backbone.attention.dark3.fc.0.weight, unknown"),
    ],
)
def test_another_model_is_refused(
    tiny: Callable, tmp_path: Path, other: dict[str, Any], says: str
) -> None:
    path = saved(tmp_path / "other.pth", tiny(**other))
    with pytest.raises(InputError, match=says):
        load_weights(tiny().get_model(), path)

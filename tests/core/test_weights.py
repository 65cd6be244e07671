"""Weights that go into a detector fit it, and what does not is named."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from loguru import logger

from yolox_attn.core import load_weights, save_checkpoint
from yolox_attn.core.weights import LEAST_SHARE
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp, load_exp
from yolox_attn.names import PUBLISHED_SIZES


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
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    assert "6 class tensors start fresh" in str(load_weights(tiny().get_model(), path))
    logger.remove(sink)
    assert lines == ["eighty.pth has 80 classes, the data here 5: their layer is new"]
    with pytest.raises(InputError, match="a class layer of 80 classes, the data here have 5"):
        load_weights(tiny().get_model(), path, complete=True)


def test_as_many_other_classes_start_fresh_too(tiny: Callable, tmp_path: Path) -> None:
    path = saved(tmp_path / "five.pth", tiny())
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    model, given = tiny().get_model(), torch.load(path)["model"]
    own = {key: value.clone() for key, value in model.state_dict().items()}
    assert load_weights(model, path, other_classes=True).classes == 6
    logger.remove(sink)
    assert lines == ["five.pth has other classes than the data here: their layer is new"]
    for key, value in model.state_dict().items():
        assert torch.equal(value, (own if key.startswith("head.cls_preds.") else given)[key])


@pytest.mark.parametrize("shape", [(), (5,), (5, 7, 1, 1)])
def test_a_class_layer_of_another_kind_is_no_other_number_of_classes(
    shape: tuple[int, ...], tiny: Callable, tmp_path: Path, warnings: list[str]
) -> None:
    weights = tiny().get_model().state_dict() | {"head.cls_preds.0.weight": torch.zeros(shape)}
    torch.save({"model": weights}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"holds another model: head\.cls_preds\.0\.weight is"):
        load_weights(tiny().get_model(), tmp_path / "other.pth", complete=True)
    loaded = load_weights(tiny().get_model(), tmp_path / "other.pth")
    assert (loaded.classes, loaded.reshaped) == (0, 1)
    assert "1 are of another shape, as head.cls_preds.0.weight is" in warnings[0]


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"depth": 0.67}, "it has .*unknown here"),
        ({"attention": "se"}, "it has backbone.backbone.attention.dark3.fc.0.weight, unknown"),
    ],
)
def test_what_is_judged_is_this_very_model(
    tiny: Callable, tmp_path: Path, other: dict[str, Any], says: str
) -> None:
    path = saved(tmp_path / "other.pth", tiny(**other))
    with pytest.raises(InputError, match=says):
        load_weights(tiny().get_model(), path, complete=True)


def kept(path: Path, exp: AttentionExp, *beginnings: str) -> Path:
    """Write the tensors whose names begin so."""
    state = exp.get_model().state_dict()
    torch.save({key: value for key, value in state.items() if key.startswith(beginnings)}, path)
    return path


def test_another_size_is_refused_also_where_it_is_trained_on(
    tiny: Callable, tmp_path: Path
) -> None:
    path = saved(tmp_path / "other.pth", tiny(width=0.25))
    model = tiny().get_model()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    says = r"\d+ of \d+ stock tensors fit, a third must; .* here: is it of another size\?"
    with pytest.raises(InputError, match=says):
        load_weights(model, path)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_another_network_is_refused(tiny: Callable, tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.ones(3), "fc.bias": torch.ones(2)}, tmp_path / "resnet.pth")
    with pytest.raises(InputError, match=r"0 of \d+ .* it lacks .* and has conv1.weight: is it of"):
        load_weights(tiny().get_model(), tmp_path / "resnet.pth")
    bare = {key: value for key, value in tiny().get_model().state_dict().items() if "num_b" in key}
    torch.save(bare, tmp_path / "counters.pth")  # BatchNorm's counters say nothing
    with pytest.raises(InputError, match=r"0 of \d+ stock tensors fit"):
        load_weights(tiny().get_model(), tmp_path / "counters.pth")


def test_a_backbone_is_enough_and_another_size_is_not() -> None:
    """What `LEAST_SHARE` was chosen by: every size's backbone above it, other sizes far below."""
    states = {
        size: load_exp(name=f"yolox-{size}").get_model().state_dict() for size in PUBLISHED_SIZES
    }
    for size, own in states.items():
        stock = [key for key in own if "cls_preds" not in key and "num_batches" not in key]
        backbone = sum(key.startswith("backbone.backbone.") for key in stock)
        assert backbone / len(stock) > LEAST_SHARE + 0.1
        for other in set(PUBLISHED_SIZES) - {size}:
            shapes = {key: value.shape for key, value in states[other].items()}
            fitting = sum(shapes.get(key) == own[key].shape for key in stock)
            assert fitting / len(stock) < 0.02


@pytest.mark.parametrize("names", ["whole", "its own"])
def test_a_backbone_alone_is_something_to_start_from(
    tiny: Callable, tmp_path: Path, warnings: list[str], names: str
) -> None:
    """With the detector's names, or those of a CSPDarknet that was trained by itself."""
    path = kept(tmp_path / "backbone.pth", tiny(), "backbone.backbone.")
    given = torch.load(path)
    if names == "its own":
        torch.save({key.removeprefix("backbone.backbone."): v for key, v in given.items()}, path)
    torch.manual_seed(3)
    model = tiny(attention="eca", attention_init="identity").get_model()
    loaded = load_weights(model, path, attention_init="identity")
    state = model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in given.items())
    assert loaded.tensors == len(given)
    assert f"{loaded.missing} missing" in str(loaded)
    assert loaded.missing == len(tiny().get_model().state_dict()) - len(given)
    (warning,) = warnings
    assert f"{loaded.missing} stock tensors are missing, as backbone.lateral_conv0." in warning
    with pytest.raises(InputError, match=r"it lacks backbone\.lateral_conv0"):
        load_weights(model, path, attention_init="identity", complete=True)


def test_what_has_no_place_or_another_shape_is_counted_and_named(
    tiny: Callable, tmp_path: Path, warnings: list[str]
) -> None:
    weights = tiny(attention="se").get_model().state_dict()
    weights["head.stems.0.conv.weight"] = torch.zeros(1)
    torch.save(weights, tmp_path / "se.pth")
    loaded = load_weights(tiny().get_model(), tmp_path / "se.pth")
    assert str(loaded).endswith("se.pth, 1 of another shape, 6 unknown here")
    assert "1 are of another shape, as head.stems.0.conv.weight is (1,) there" in warnings[0]
    assert "6 have no place here, as backbone.backbone.attention.dark3.fc.0.weight" in warnings[0]

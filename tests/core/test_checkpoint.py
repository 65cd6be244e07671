import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loguru import logger

from yolox_attn.core import load_weights, read_checkpoint, save_checkpoint
from yolox_attn.core.checkpoint import file_hash, read_resumable
from yolox_attn.errors import InputError
from yolox_attn.exp import AttentionExp


@pytest.fixture
def warnings() -> list[str]:
    heard: list[str] = []
    sink = logger.add(lambda message: heard.append(message.record["message"]), level="WARNING")
    yield heard
    logger.remove(sink)


def saved(path: Path, exp: AttentionExp, **more: Any) -> Path:
    save_checkpoint({"model": exp.get_model().state_dict()} | more, path)
    return path


def test_a_kill_while_saving_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "latest_ckpt.pth"
    save_checkpoint({"model": {"a": torch.ones(2)}}, path)

    def half(state: object, file: Any) -> None:
        file.write(b"half")
        raise OSError("no space left on device")

    monkeypatch.setattr(torch, "save", half)
    with pytest.raises(OSError, match="no space"):
        save_checkpoint({"model": {}}, path)
    assert read_checkpoint(path)["model"]["a"].sum() == 2
    assert list(tmp_path.iterdir()) == [path]


def test_a_new_file_has_ordinary_permissions(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.write_text("")
    save_checkpoint({"model": {"a": torch.ones(2)}}, tmp_path / "x.pth")
    assert (tmp_path / "x.pth").stat().st_mode == plain.stat().st_mode


def test_a_stock_checkpoint_with_a_numpy_best_ap_loads(tmp_path: Path) -> None:
    path = tmp_path / "stock.pth"
    torch.save({"model": {"a": torch.ones(2)}, "best_ap": np.float64(0.4)}, path)
    assert read_checkpoint(path)["best_ap"] == 0.4


def test_a_bare_state_dict_is_a_checkpoint(tmp_path: Path) -> None:
    torch.save({"a": torch.ones(2)}, tmp_path / "bare.pth")
    assert read_checkpoint(tmp_path / "bare.pth")["model"]["a"].sum() == 2


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("never",)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no checkpoint"),
        (b"", "not a readable checkpoint"),
        (b"hello", "refused, not plain weights|not a readable"),
        ({"model": Evil()}, "refused, not plain weights"),
        ({"weights": 1}, "no weights under the key 'model'"),
        ([1, 2], "no weights under the key 'model'"),
    ],
)
def test_what_is_no_checkpoint_is_refused_in_one_line(
    tmp_path: Path, content: Any, says: str
) -> None:
    path = tmp_path / "x.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(InputError, match=says) as caught:
        read_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_truncated_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    torch.save({"model": {"a": torch.ones(2000)}}, path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(InputError, match="not a readable checkpoint"):
        read_checkpoint(path)


def test_a_stock_checkpoint_fills_all_but_the_attention(
    tiny: Callable, tmp_path: Path, warnings: list[str]
) -> None:
    stock = saved(tmp_path / "stock.pth", tiny())
    torch.manual_seed(7)
    model = tiny(attention="cam").get_model()
    report = load_weights(model, stock)
    assert "9 attention tensors start fresh" in report
    given = read_checkpoint(stock)["model"]
    state = model.state_dict()
    assert all(torch.equal(state[key], value) for key, value in given.items())
    assert len(warnings) == 1
    assert "identity starts exactly where the checkpoint was" in warnings[0]


def test_identity_needs_no_warning(tiny: Callable, tmp_path: Path, warnings: list[str]) -> None:
    stock = saved(tmp_path / "stock.pth", tiny())
    model = tiny(attention="cam", attention_init="identity").get_model()
    load_weights(model, stock, attention_init="identity")
    assert not warnings


def test_other_classes_start_fresh_unless_they_must_be_the_same(
    tiny: Callable, tmp_path: Path
) -> None:
    path = saved(tmp_path / "eighty.pth", tiny(num_classes=80))
    assert "6 class tensors start fresh" in load_weights(tiny().get_model(), path)
    with pytest.raises(InputError, match=r"head.cls_preds.*\(80, .* there and \(5, "):
        load_weights(tiny().get_model(), path, same_classes=True)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        ({"width": 0.25}, "holds another model: backbone"),
        ({"depthwise": False}, "holds another model"),
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


def test_names_from_a_parallel_model_are_stripped(tiny: Callable, tmp_path: Path) -> None:
    state = {f"module.{k}": v for k, v in tiny().get_model().state_dict().items()}
    save_checkpoint({"model": state}, tmp_path / "ddp.pth")
    load_weights(tiny().get_model(), tmp_path / "ddp.pth")


def test_weights_alone_do_not_resume(tmp_path: Path) -> None:
    save_checkpoint({"model": {"a": torch.ones(1)}}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="has no optimizer; to start from its weights drop"):
        read_resumable(tmp_path / "w.pth", torch.device("cpu"))


def test_a_files_hash(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_hash(tmp_path / "x").startswith("ba7816bf")

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from loguru import logger

from yolox_attn.core import load_weights, read_checkpoint, save_checkpoint
from yolox_attn.core.checkpoint import name_not_finite, newest_checkpoint, read_resumable
from yolox_attn.errors import InputError, TrainingError
from yolox_attn.exp import AttentionExp
from yolox_attn.runs.codec import file_hash


@pytest.fixture
def warnings() -> list[str]:
    heard: list[str] = []
    sink = logger.add(lambda message: heard.append(message.record["message"]), level="WARNING")
    yield heard
    logger.remove(sink)


def saved(path: Path, exp: AttentionExp, **more: Any) -> Path:
    save_checkpoint({"model": exp.get_model().state_dict()} | more, path)
    return path


def tensors(value: float) -> dict[str, Any]:
    return {"model": {"a": torch.full((50_000,), float(value))}}


def test_what_is_not_finite_is_never_saved(tmp_path: Path) -> None:
    path, previous = tmp_path / "latest_ckpt.pth", tmp_path / "previous_ckpt.pth"
    save_checkpoint(tensors(1), path)
    state = tensors(2) | {"optimizer": {"state": {3: {"momentum_buffer": torch.ones(4)}}}}
    state["optimizer"]["state"][3]["momentum_buffer"][2] = math.nan
    with pytest.raises(TrainingError, match=r"optimizer\.state\.3\.momentum_buffer is not finite"):
        save_checkpoint(state, path, previous=previous)
    assert read_checkpoint(path)["model"]["a"][0] == 1
    assert not previous.exists()


def test_the_previous_checkpoint_is_kept(tmp_path: Path) -> None:
    path, previous = tmp_path / "latest_ckpt.pth", tmp_path / "previous_ckpt.pth"
    for value in (1, 2, 3):
        save_checkpoint(tensors(value), path, previous=previous)
    kept = [read_checkpoint(each)["model"]["a"][0] for each in (path, previous)]
    assert kept == [3, 2]


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
        (b"hello", "not a readable checkpoint"),
        (b"\x80\x02garbage", "not a readable checkpoint"),
        ({"model": Evil()}, r"refused: it carries code \(\w+\.mkdir\), which loading would run"),
        (torch.nn.Linear(1, 1), r"it carries code \(torch\.nn\.modules\.linear\.Linear\)"),
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


def whole(**changes: Any) -> dict[str, Any]:
    """What a checkpoint must have for training to go on from it."""
    state: dict[str, Any] = {"model": {"a": torch.ones(5000)}, "optimizer": {}, "start_epoch": 2}
    return state | changes


CPU = torch.device("cpu")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"start_epoch": "three"}, "damaged (start_epoch is 'three')"),
        ({"start_epoch": True}, "damaged (start_epoch is 'True')"),
        ({"start_epoch": -1}, "damaged (it is before the first epoch)"),
        ({"start_iter": 1.5}, "damaged (start_iter is '1.5')"),
        ({"optimizer": [1]}, "damaged (optimizer is '[1]')"),
        ({"weights": None}, "damaged (weights is 'None')"),
        ({"model": {"a": torch.tensor([math.inf])}}, "model.a is not finite"),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(
    tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    path = tmp_path / "x.pth"
    torch.save(whole(**changes), path)
    with pytest.raises(InputError) as caught:
        read_resumable(path, CPU)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_byte_changed_on_the_disk_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.pth"
    save_checkpoint(whole(), path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1  # among the weights, where torch looks at no sum
    path.write_bytes(content)
    assert read_checkpoint(path)
    with pytest.raises(InputError, match=r"damaged .* is not what was written"):
        read_resumable(path, CPU)


@pytest.mark.parametrize("share", [0.01, 0.2, 0.5, 0.9, 0.99, 0.999])
def test_a_checkpoint_cut_anywhere_is_one_line(tmp_path: Path, share: float) -> None:
    path = tmp_path / "x.pth"
    save_checkpoint(whole(), path)
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(InputError, match=r"not a readable checkpoint|damaged") as caught:
        read_resumable(path, CPU)
    assert "\n" not in str(caught.value)


def test_our_own_file_loads_without_an_allow_list(tmp_path: Path) -> None:
    save_checkpoint(whole(best_ap=0.5, input_size=[64, 64]), tmp_path / "x.pth")
    assert torch.load(tmp_path / "x.pth", weights_only=True)["best_ap"] == 0.5


def test_a_stock_parallel_checkpoint_resumes(tmp_path: Path) -> None:
    given = {"model": {"module.a": torch.ones(2)}, "best_ap": np.float64(0.4)}
    torch.save(whole(**given), tmp_path / "x.pth")
    assert list(read_resumable(tmp_path / "x.pth", CPU)["model"]) == ["a"]


def test_the_newest_readable_checkpoint_is_found(tmp_path: Path, warnings: list[str]) -> None:
    names = ("epoch_1", "best", "previous", "latest")
    paths = {name: tmp_path / f"{name}_ckpt.pth" for name in names}
    for age, path in enumerate(paths.values()):
        save_checkpoint(whole(start_epoch=age), path)
        os.utime(path, (1000 + age, 1000 + age))
    os.utime(paths["best"], (5000, 5000))  # written last, but by name latest comes first
    for name in ("latest", "previous", "best"):
        found, state = newest_checkpoint(tmp_path, CPU)
        assert found == paths[name]
        assert state["start_epoch"] == names.index(name)
        paths[name].write_bytes(paths[name].read_bytes()[:500])
    warnings.clear()
    assert newest_checkpoint(tmp_path, CPU)[0] == paths["epoch_1"]
    assert [line.split(":")[0] for line in warnings] == [
        str(paths[name]) for name in ("latest", "previous", "best")
    ]
    paths["epoch_1"].write_bytes(b"")
    with pytest.raises(InputError, match=r"holds no readable checkpoint: .*latest.*and 3 more"):
        newest_checkpoint(tmp_path, CPU)


def test_without_a_checkpoint_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no checkpoint to go on from; drop --resume"):
        newest_checkpoint(tmp_path / "none", CPU)


def test_weights_that_are_not_finite_are_refused(tiny: Callable, tmp_path: Path) -> None:
    state = tiny().get_model().state_dict()
    state["head.stems.0.conv.weight"] = state["head.stems.0.conv.weight"] * math.nan
    torch.save({"model": state}, tmp_path / "x.pth")
    with pytest.raises(InputError, match=r"head\.stems\.0\.conv\.weight is not finite"):
        load_weights(tiny().get_model(), tmp_path / "x.pth")


def test_weights_alone_do_not_resume(tmp_path: Path) -> None:
    save_checkpoint({"model": {"a": torch.ones(1)}}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="has no optimizer; to start from its weights drop"):
        read_resumable(tmp_path / "w.pth", torch.device("cpu"))


def test_a_files_hash(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    assert file_hash(tmp_path / "x").startswith("ba7816bf")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
def test_the_first_tensor_that_is_not_finite_is_named(bad: float, dtype: torch.dtype) -> None:
    state = {
        "model": {"a": torch.ones(3, dtype=dtype)},
        "optimizer": {"state": [{"m": torch.zeros(2, 2, dtype=dtype)}, (torch.zeros(1),)]},
    }
    assert name_not_finite(state) is None
    state["optimizer"]["state"][0]["m"][1, 0] = bad
    assert name_not_finite(state) == "optimizer.state.0.m"


def test_large_numbers_empty_tensors_and_plain_values_pass() -> None:
    state = {"a": torch.full((2,), 3e38), "b": torch.empty(0), "c": "x", "d": None, "e": 1}
    assert name_not_finite(state | {"counter": torch.tensor(2**40)}) is None
    assert name_not_finite({}) is None
    assert name_not_finite({"x": 1.0}) is None

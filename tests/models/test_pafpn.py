import copy
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from yolox.models import YOLOPAFPN
from yolox.utils import ModelEMA, fuse_model

from yolox_attn.blocks import ATTENTIONS
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.models import ATTENTION_PREFIX, AttentionPAFPN

BLOCKS = sorted(ATTENTIONS.keys() - {"none"})
# Each block once, where the network around it is the same for all.
MIXES = [
    {"dark3": "se", "dark4": "acmix", "dark5": "drconv"},
    {"dark3": "eca", "dark4": "attnconv", "dark5": "cbam"},
    {"dark4": "cam"},
]
SIZE = {"depth": 0.33, "width": 0.125, "depthwise": True}
SIZES = [(320, 320), (384, 640), (480, 480), (800, 800)]

every_block = pytest.mark.parametrize("name", BLOCKS)
every_mix = pytest.mark.parametrize("mix", MIXES, ids=lambda mix: "-".join(mix.values()))


def neck(attention: object = "none", **options: object) -> AttentionPAFPN:
    torch.manual_seed(0)
    return AttentionPAFPN(**SIZE, attention=attention, **options)


def test_the_mixes_hold_every_block() -> None:
    assert sorted(name for mix in MIXES for name in mix.values()) == BLOCKS


def test_none_is_yoloxs_bit_for_bit() -> None:
    torch.manual_seed(0)
    stock = YOLOPAFPN(**SIZE)
    ours = neck("none")
    assert list(stock.state_dict()) == list(ours.state_dict())
    x = torch.randn(2, 3, 64, 96)
    for mine, theirs in zip(ours(x), stock(x), strict=True):
        assert torch.equal(mine, theirs)


@every_block
def test_shared_tensors_keep_names_and_start_equal(name: str, detector: Callable) -> None:
    baseline, variant = detector("none").state_dict(), detector(name).state_dict()
    new = variant.keys() - baseline.keys()
    assert new
    assert all(key.startswith(ATTENTION_PREFIX) for key in new)
    assert baseline.keys() <= variant.keys()
    assert all(torch.equal(variant[key], value) for key, value in baseline.items())


def test_each_level_gets_its_channels() -> None:
    seen: list[int] = []

    def own(channels: int) -> nn.Module:
        seen.append(channels)
        return nn.Identity()

    neck(own)
    assert seen == [32, 64, 128]


def test_the_block_is_applied_to_the_backbone_output() -> None:
    class Zero(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * 0

    features = neck({"dark4": Zero}).backbone(torch.randn(1, 3, 64, 64))
    assert features["dark4"].eq(0).all()
    assert features["dark3"].ne(0).any()


def test_an_unknown_initialisation_is_refused() -> None:
    with pytest.raises(InputError, match="published or identity"):
        neck("se", attention_init="zero")


@every_mix
def test_deepcopy_ema_and_fuse(mix: dict[str, str], detector: Callable) -> None:
    model = detector(mix, attention_init="identity")
    ema = ModelEMA(model)
    ema.update(model)
    x = torch.rand(1, 3, 64, 64) * 255
    plain = copy.deepcopy(model).eval()
    with torch.no_grad():
        torch.testing.assert_close(ema.ema(x), plain(x))
        fused = fuse_model(copy.deepcopy(plain))
        torch.testing.assert_close(fused(x), plain(x), rtol=1e-3, atol=1e-3)


@pytest.fixture
def one_process_group(tmp_path: Path) -> object:
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


@pytest.mark.usefixtures("one_process_group")
@every_mix
def test_ddp_steps_twice(mix: dict[str, str], detector: Callable, labels: torch.Tensor) -> None:
    # A parameter that the loss does not reach makes the second iteration raise.
    model = DistributedDataParallel(detector(mix), broadcast_buffers=False)
    for _ in range(2):
        model(torch.rand(2, 3, 64, 64) * 255, labels)["total_loss"].backward()


@pytest.mark.parametrize("size", SIZES)
@every_block
def test_every_block_takes_the_sizes_of_multi_scale_training(
    name: str, size: tuple[int, int]
) -> None:
    with torch.no_grad():
        maps = neck(name).eval()(torch.zeros(1, 3, *size))
    assert [tuple(m.shape[2:]) for m in maps] == [(size[0] // s, size[1] // s) for s in (8, 16, 32)]


@pytest.mark.slow
@pytest.mark.parametrize("size", SIZES)
@every_block
def test_yolox_s_takes_them_in_training(
    name: str, size: tuple[int, int], labels: torch.Tensor
) -> None:
    model = load_exp(name=f"yolox-s-{name}").get_model()
    loss = model(torch.rand(1, 3, *size) * 255, labels[:1])["total_loss"]
    loss.backward()
    assert loss.isfinite()
    assert all(p.grad.isfinite().all() for p in model.parameters())


@pytest.mark.parametrize(
    "exporter", [pytest.param("dynamo", marks=pytest.mark.slow), "torchscript"]
)
@every_mix
def test_onnx_gives_the_same_numbers(mix: dict[str, str], exporter: str) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    model = neck(mix).eval()
    x = torch.rand(1, 3, 64, 96)
    file = io.BytesIO()
    if exporter == "dynamo":
        torch.onnx.export(model, (x,), file, dynamo=True)
    else:
        torch.onnx.export(model, (x,), file, dynamo=False, opset_version=17)
    session = onnxruntime.InferenceSession(file.getvalue(), providers=["CPUExecutionProvider"])
    outputs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    with torch.no_grad():
        for mine, theirs in zip(outputs, model(x), strict=True):
            np.testing.assert_allclose(mine, theirs.numpy(), rtol=1e-3, atol=1e-4)


def test_identity_leaves_a_detector_where_it_was(detector: Callable) -> None:
    x = torch.rand(1, 3, 64, 64) * 255
    plain = detector("none").eval()
    for mix in MIXES:
        with torch.no_grad():
            assert torch.equal(detector(mix, attention_init="identity").eval()(x), plain(x)), mix

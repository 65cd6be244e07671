import pytest
import torch
from torch import nn
from yolox.models import YOLOPAFPN, YOLOX, YOLOXHead
from yolox.models.network_blocks import BaseConv

from yolox_attn.errors import InputError
from yolox_attn.exp.fuse import fuse, is_untouched


@pytest.fixture
def detector():
    torch.manual_seed(0)
    model = YOLOX(YOLOPAFPN(0.33, 0.125, depthwise=True), YOLOXHead(2, 0.125, depthwise=True))
    for module in model.modules():  # fresh statistics would make fusing an identity
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.1)
            nn.init.normal_(module.running_mean, std=0.1)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.train()


IMAGES = 255 * torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def count(model, kind):
    return sum(isinstance(module, kind) for module in model.modules())


def test_fused_outputs_agree_and_the_original_stays(detector):
    norms = count(detector, nn.BatchNorm2d)
    fused, layers = fuse(detector, IMAGES)
    assert layers == norms
    assert (count(fused, nn.BatchNorm2d), count(detector, nn.BatchNorm2d)) == (0, norms)
    assert detector.training
    assert not fused.training
    with torch.no_grad():
        torch.testing.assert_close(fused(IMAGES), detector.eval()(IMAGES), rtol=1e-3, atol=1e-3)
    assert all(parameter.is_leaf for parameter in fused.parameters())


def test_changed_layers_keep_their_norm(detector):
    stem = detector.backbone.backbone.stem.conv
    stem.conv = nn.Conv2d(12, stem.conv.out_channels, 3, padding=2, dilation=2, bias=False)
    fused, layers = fuse(detector, IMAGES)
    assert layers == count(detector, nn.BatchNorm2d) - 1
    assert hasattr(fused.backbone.backbone.stem.conv, "bn")


def make(change):
    layer = BaseConv(4, 4, 3, 1)
    change(layer)
    return layer


@pytest.mark.parametrize(
    "change",
    [
        lambda layer: setattr(layer, "conv", nn.Sequential(layer.conv)),
        lambda layer: setattr(layer.conv, "padding_mode", "reflect"),
        lambda layer: setattr(layer, "bn", nn.GroupNorm(2, 4)),
        lambda layer: setattr(layer, "bn", nn.BatchNorm2d(4, affine=False)),
        lambda layer: setattr(layer, "forward", lambda x: x),
        lambda layer: layer.conv.register_forward_hook(lambda *_: None),
        lambda layer: delattr(layer, "bn"),
    ],
)
def test_only_untouched_layers_are_fused(change):
    assert is_untouched(make(lambda layer: None))
    assert not is_untouched(make(change))


def test_a_difference_is_refused(detector, monkeypatch):
    monkeypatch.setattr("yolox_attn.exp.fuse.fuse_conv_and_bn", lambda conv, bn: conv)
    with pytest.raises(InputError, match="--fuse would change the outputs"):
        fuse(detector, IMAGES)

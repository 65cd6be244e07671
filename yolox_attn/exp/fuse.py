"""Convolution and BatchNorm in one product, where that changes nothing but the time."""

import copy

import torch
from torch import Tensor, nn
from yolox.models.network_blocks import BaseConv
from yolox.utils.model_utils import fuse_conv_and_bn

from yolox_attn.errors import InputError

TOLERANCE = 1e-3  # of outputs, absolute (pixels, probabilities) or relative: ten times the rounding


def fuse(model: nn.Module, images: Tensor) -> tuple[nn.Module, int]:
    """Return a fused copy of the model, in eval mode, and how many layers were fused.

    Args:
        model: on the CPU in float32, where rounding is not in the way of the comparison.
        images: a real batch, (N, 3, H, W): the outputs for it must stay what they are.

    Raises:
        InputError: the outputs differ, or they are not finite to begin with.
    """
    original = copy.deepcopy(model).eval()
    fused = copy.deepcopy(original)
    layers = [module for module in fused.modules() if is_untouched(module)]
    with torch.no_grad():
        for layer in layers:
            layer.conv = fuse_conv_and_bn(layer.conv, layer.bn)
            del layer.bn
            layer.forward = layer.fuseforward  # type: ignore[assignment]
        before, after = original(images), fused(images)
    if not torch.allclose(before, after, rtol=TOLERANCE, atol=TOLERANCE):
        worst = float((before - after).abs().max())
        raise InputError(
            f"--fuse would change the outputs of this model by up to {worst:.3g}; drop it"
        )
    return fused, len(layers)


def is_untouched(module: nn.Module) -> bool:
    """Tell whether a module is YOLOX's BaseConv as it was made, which its fusing assumes.

    YOLOX would lose a dilation, a padding mode or a forward that was replaced on the instance,
    and fail on another kind of layer in the place of one of its own.
    """
    if type(module) is not BaseConv or "forward" in vars(module):
        return False
    conv, norm = module.conv, getattr(module, "bn", None)
    return (
        type(conv) is nn.Conv2d
        and conv.dilation == (1, 1)
        and conv.padding_mode == "zeros"
        and type(norm) is nn.BatchNorm2d
        and norm.affine
        and norm.track_running_stats
        and not any(part._forward_hooks or part._forward_pre_hooks for part in (conv, norm))
    )

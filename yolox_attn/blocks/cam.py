"""Coordinate attention: Hou, Zhou, Feng, CVPR 2021, https://arxiv.org/abs/2103.02907."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import mish

from yolox_attn.blocks.gates import reduced_width, require_counts, without_autocast
from yolox_attn.blocks.gating import gated, mean

# A tutorial for YOLOX declares a BatchNorm `bn` and never applies it. It would get no gradient, and
# DistributedDataParallel refuses that: it is left out, and dropped where a checkpoint holds it.
UNUSED = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


class CAM(nn.Module):
    """Gates each pixel by its row's means times its column's means.

    y(i, j) = x(i, j) * sigmoid(Fh mish(W1 a))(i) * sigmoid(Fw mish(W1 b))(j), with a the means of
    the rows, b those of the columns. Unlike the authors' code it has neither biases nor a norm, so
    that each position stands alone and rows and columns need no joining.

    Args:
        reduction: the paper's r; the hidden width is C / r, at least 1.

    Shape: (N, C, H, W) -> (N, C, H, W).
    """

    def __init__(self, channels: int, *, reduction: int = 32) -> None:
        super().__init__()
        require_counts("CAM", channels=channels, reduction=reduction)
        width = reduced_width(channels, reduction)
        self.conv_1x1 = nn.Conv2d(channels, width, 1, bias=False)
        self.F_h = nn.Conv2d(width, channels, 1, bias=False)
        self.F_w = nn.Conv2d(width, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        dtype = self.conv_1x1.weight.dtype
        with without_autocast(x):
            rows, columns = (mean(x, axis).to(dtype) for axis in (3, 2))
            row_gates: Tensor = self.F_h(mish(self.conv_1x1(rows))).sigmoid()  # (N, C, H, 1)
            column_gates: Tensor = self.F_w(mish(self.conv_1x1(columns))).sigmoid()  # (N, C, 1, W)
        return gated(x, row_gates, column_gates)

    def _load_from_state_dict(
        self, state_dict: dict[str, Any], prefix: str, *args: Any, **kwargs: Any
    ) -> None:
        for name in UNUSED:
            state_dict.pop(f"{prefix}bn.{name}", None)
        super()._load_from_state_dict(state_dict, prefix, *args, **kwargs)

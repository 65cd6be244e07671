"""The four gates as tutorials write them, for comparison only: the blocks' own parameters.

Written from the formulas: pooling layers, one joint convolution of rows and columns, `expand_as`.
"""

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.cam import CAM
from yolox_attn.blocks.cbam import CBAM
from yolox_attn.blocks.eca import ECA
from yolox_attn.blocks.se import SE


def se(block: SE, x: Tensor) -> Tensor:
    """Pool, two linear maps, expand."""
    batch, channels = x.shape[:2]
    means = functional.adaptive_avg_pool2d(x, 1).view(batch, channels)
    gates: Tensor = block.fc(means).view(batch, channels, 1, 1)
    return x * gates.expand_as(x)


def eca(block: ECA, x: Tensor) -> Tensor:
    """Pool, a 1-D convolution over the channels, expand."""
    means = functional.adaptive_avg_pool2d(x, 1).squeeze(-1).transpose(1, 2)
    gates: Tensor = block.conv(means).transpose(1, 2).unsqueeze(-1).sigmoid()
    return x * gates.expand_as(x)


def cam(block: CAM, x: Tensor) -> Tensor:
    """Rows and columns side by side through one convolution, then apart again."""
    height, width = x.shape[2:]
    rows = torch.mean(x, dim=3, keepdim=True).permute(0, 1, 3, 2)
    columns = torch.mean(x, dim=2, keepdim=True)
    joint = functional.mish(block.conv_1x1(torch.cat((rows, columns), 3)))
    rows, columns = joint.split([height, width], 3)
    row_gates = block.F_h(rows.permute(0, 1, 3, 2)).sigmoid()
    column_gates = block.F_w(columns).sigmoid()
    gated: Tensor = x * row_gates.expand_as(x) * column_gates.expand_as(x)
    return gated


def cbam(block: CBAM, x: Tensor) -> Tensor:
    """Two poolings through the same two convolutions; mean and maximum over the channels."""
    gate = block.channelattention
    mean, most = (
        gate.fc2(gate.fc1(pool(x, 1)).relu())
        for pool in (functional.adaptive_avg_pool2d, functional.adaptive_max_pool2d)
    )
    x = (mean + most).sigmoid() * x
    means = torch.mean(x, dim=1, keepdim=True)
    highest, _ = torch.max(x, dim=1, keepdim=True)
    joint = torch.cat([means, highest], dim=1)
    gated: Tensor = block.spatialattention.conv1(joint).sigmoid() * x
    return gated

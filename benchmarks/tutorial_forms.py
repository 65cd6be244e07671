"""Three blocks computed the way the tutorials compute them, for comparison only.

Each function takes one of the package's blocks and its input, uses the block's own parameters, and
returns the same numbers: only the algorithm differs. Written from a description of the algorithms.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.acmix import ACmix
from yolox_attn.blocks.attnconv import AttnConv
from yolox_attn.blocks.drconv import DRConv


def acmix(block: ACmix, x: Tensor) -> Tensor:
    """Three projections; keys, position features and values copied out for all K * K offsets."""
    batch, _, height, width = x.shape
    heads, size, depth = block.head, block.kernel_att, block.conv_p.out_channels
    q, k, v = block.conv1(x), block.conv2(x), block.conv3(x)
    across = torch.linspace(-1, 1, width).expand(height, width)
    down = torch.linspace(-1, 1, height)[:, None].expand(height, width)
    position = block.conv_p(torch.stack([across, down])[None])  # (1, d, H, W)

    def unfolded(maps: Tensor) -> Tensor:
        padded = functional.pad(maps, [size // 2] * 4, mode="reflect")
        return functional.unfold(padded, size).view(len(maps), depth, size**2, height, width)

    q_heads, k_heads, v_heads = (t.view(batch * heads, depth, height, width) for t in (q, k, v))
    relative = position.unsqueeze(2) - unfolded(position)
    logits = (q_heads.unsqueeze(2) * depth**-0.5 * (unfolded(k_heads) + relative)).sum(1)
    weights = logits.softmax(dim=1)  # (N * heads, K * K, H, W)
    attended = (weights.unsqueeze(1) * unfolded(v_heads)).sum(2).view(batch, -1, height, width)

    by_head = [t.view(batch, heads, depth, height * width) for t in (q, k, v)]
    mixed: Tensor = block.fc(torch.cat(by_head, dim=1))  # (N, 9, d, H * W)
    mixed = mixed.transpose(1, 2).reshape(batch, -1, height, width)
    convolved = functional.conv2d(
        mixed, block.dep_conv.weight, block.dep_conv.bias, padding=1, groups=depth
    )
    both: Tensor = block.rate1 * attended + block.rate2 * convolved
    return both


class MaskedSum(torch.autograd.Function):
    """The chosen region by a mask over all regions' maps, and its surrogate gradient."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, scores: Tensor) -> Tensor:
        choice = scores.argmax(dim=1, keepdim=True)
        mask = torch.zeros_like(scores).scatter_(1, choice, 1.0).unsqueeze(2)
        ctx.save_for_backward(maps, scores, mask)
        return (maps * mask).sum(dim=1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor]:
        maps, scores, mask = ctx.saved_tensors
        above = upstream[0].unsqueeze(1)
        answer, soft = (above * maps).sum(dim=2), scores.softmax(dim=1)
        return above * mask, soft * (answer - (soft * answer).sum(dim=1, keepdim=True))


def drconv(block: DRConv, x: Tensor) -> Tensor:
    """All R convolutions as one grouped convolution, with gradients or without."""
    batch, channels, height, width = x.shape
    side = block.conv_guide.kernel_size[0]
    pooled = functional.adaptive_avg_pool2d(x, side)
    units = block.conv_kernel[1](pooled).sigmoid()
    kernels = block.conv_kernel[3](units).reshape(-1, channels, side, side)
    images = x.reshape(1, -1, height, width)
    maps = functional.conv2d(images, kernels, padding=side // 2, groups=batch)
    picked: Tensor = MaskedSum.apply(
        maps.view(batch, block.region_num, -1, height, width), block.conv_guide(x)
    )
    return picked


class LeanSwish(torch.autograd.Function):
    """t * sigmoid(t) that keeps t only."""

    @staticmethod
    def forward(ctx: Any, t: Tensor) -> Tensor:
        ctx.save_for_backward(t)
        return t * t.sigmoid()

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> Tensor:
        (t,) = ctx.saved_tensors
        gate = t.sigmoid()
        slope: Tensor = gate * (1 + t * (1 - gate))
        return upstream[0] * slope


def attnconv(block: AttnConv, x: Tensor) -> Tensor:
    """Attention as two products with a softmax between them; sizes must divide by the window."""
    batch, _, height, width = x.shape
    depth, parts = block.head_width, []
    for qkv, conv, act in zip(block.qkvs, block.convs, block.act_blocks, strict=True):
        q, k, v = conv(qkv(x)).view(batch, 3, -1, height, width).unbind(dim=1)
        stages: Any = act.act_block
        first, _, second = stages
        gates = second(LeanSwish.apply(first(q * k)))
        parts.append((gates * depth**-0.5).tanh() * v)
    q = block.global_q(x).view(batch, -1, depth, height * width).transpose(2, 3).contiguous()
    kv = block.global_kv(functional.avg_pool2d(x, block.window_size))
    k, v = kv.view(batch, 2, -1, depth, kv[0, 0].numel()).transpose(3, 4).contiguous().unbind(1)
    weights = (depth**-0.5 * q @ k.transpose(2, 3)).softmax(dim=-1)
    parts.append((weights @ v).transpose(2, 3).reshape(batch, -1, height, width))
    projected: Tensor = block.proj(torch.cat(parts, dim=1))
    return projected

"""A hard choice of region for each pixel: its gradient, and work on the chosen region only."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


class PickRegion(torch.autograd.Function):
    """Each pixel's value from its region's map; the scores get the gradient of a softmax.

    Forward: maps (N, R, C, H, W), scores (N, R, H, W), choice (N, 1, H, W) -> (N, C, H, W).
    Backward: the chosen map alone gets the gradient. With a = <gradient, map of r> and p the
    softmax of the scores, score r gets p_r (a_r - sum_q p_q a_q), in float32 at least.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor, scores: Tensor, choice: Tensor) -> Tensor:
        ctx.save_for_backward(maps, scores, choice)
        return pick(maps, choice)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        maps, scores, choice = ctx.saved_tensors
        above = upstream[0].unsqueeze(1)  # (N, 1, C, H, W)
        to_maps = torch.zeros_like(maps).scatter_(1, _spread(choice, maps), above)
        exact = torch.promote_types(scores.dtype, torch.float32)
        wide = upstream[0].to(exact)
        answers = [(wide * region.to(exact)).sum(dim=1) for region in maps.unbind(dim=1)]
        answer, soft = torch.stack(answers, dim=1), scores.to(exact).softmax(dim=1)
        to_scores = soft * (answer - (soft * answer).sum(dim=1, keepdim=True))
        return to_maps, to_scores.to(scores.dtype), None


def pick(maps: Tensor, choice: Tensor) -> Tensor:
    """Each pixel's value from its region's map, without a gradient for the choice."""
    return maps.gather(1, _spread(choice, maps)).squeeze(1)


def pick_straight_through(maps: Tensor, scores: Tensor, choice: Tensor) -> Tensor:
    """PickRegion in ordinary operations, for records: the soft terms are zeros with a gradient."""
    soft = scores.to(torch.promote_types(scores.dtype, torch.float32)).softmax(dim=1)
    nothing = (soft - soft.detach()).unsqueeze(2)
    return pick(maps, choice) + (maps.detach() * nothing).sum(dim=1).to(maps.dtype)


def _spread(choice: Tensor, maps: Tensor) -> Tensor:
    return choice.unsqueeze(2).expand(-1, 1, maps.shape[2], -1, -1)


def convolve_chosen(x: Tensor, kernels: Tensor, choice: Tensor) -> Tensor:
    """Convolve each pixel of one image with its region's kernel and with no other.

    Pixels are sorted by region; a region's pixels then meet its kernel tap by tap, in one matrix
    product each. The sums over the taps are kept in float32 at least. Reads the choice back to
    the CPU; not differentiable.

    Shape: x (in, H, W), kernels (R, k * k, out, in), choice (H, W) -> (out, H, W).
    """
    _, taps, out_channels, channels = kernels.shape
    (height, width), side = x.shape[1:], round(taps**0.5)
    margin = side // 2
    padded = functional.pad(x.permute(1, 2, 0), (0, 0, margin, margin, margin, margin))
    pixels, stride = padded.reshape(-1, channels), width + 2 * margin
    order = choice.flatten().argsort()
    counts = torch.bincount(choice.flatten()).tolist()
    corners = (order // width) * stride + order % width  # of each pixel's window, in `pixels`
    exact = torch.promote_types(x.dtype, torch.float32)
    out = x.new_empty(height * width, out_channels)
    for region, (places, starts) in enumerate(
        zip(order.split(counts), corners.split(counts), strict=True)
    ):
        total = torch.zeros(len(places), out_channels, dtype=exact, device=x.device)
        for tap in range(taps):
            inputs = pixels.index_select(0, starts + (tap // side * stride + tap % side))
            total += inputs @ kernels[region, tap].T
        out[places] = total.to(out.dtype)
    return out.view(height, width, out_channels).permute(2, 0, 1)

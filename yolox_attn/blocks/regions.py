"""A hard choice of region for each pixel: work on the chosen region only, gradients from all."""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from yolox_attn.blocks.gates import own_gradient


class RegionConv(torch.autograd.Function):
    """Convolves each pixel with its region's kernel; the scores get the gradient of a softmax.

    Pixels are sorted by region, and each region's meet its kernel tap by tap, in matrix products.
    A kernel, weight @ unit + bias at each tap, is made when its turn comes and is not kept: the
    backward pass has the inputs alone, and makes it once more. There the chosen region alone
    passes the gradient on; with a = <gradient, what region r would have given> and p the softmax
    of the scores, score r gets p_r (a_r - sum_q p_q a_q), in float32 at least. How many pixels each
    region has is read back to the CPU, which waits for an accelerator.

    Shape: x (N, in, H, W), units (N, R, k * k, U), weight (R, out * in, U), bias (R, out * in),
    scores (N, R, H, W) -> (N, out, H, W).
    """

    @staticmethod
    def forward(ctx: Any, *tensors: Tensor) -> Tensor:
        ctx.save_for_backward(*tensors)
        x, units, weight, bias, scores = tensors
        batch, channels, height, width = x.shape
        shape = batch, weight.shape[1] // channels, height, width
        out = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
        for number, image in enumerate(x):
            choice = Choice(scores[number])
            windows = choice.windows(image, units.shape[2])
            made = x.new_empty(height * width, shape[1])
            for region, places in choice.regions():
                if places.stop > places.start:
                    kernel = kernel_of(region, units[number], weight, bias, channels)
                    made[places] = convolved(windows[:, places], kernel)
            out[number].permute(1, 2, 0).flatten(0, 1).index_copy_(0, choice.order, made)
        return out.contiguous() if x.is_contiguous() else out

    @staticmethod
    @own_gradient
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        x, units, weight, bias, scores = ctx.saved_tensors
        kernels_learn, scores_learn = any(ctx.needs_input_grad[1:4]), ctx.needs_input_grad[4]
        to_x, to_units, to_scores = (torch.empty_like(each) for each in (x, units, scores))
        to_weight, to_bias = torch.empty_like(weight), torch.zeros_like(bias)
        for number, image in enumerate(x):
            choice = Choice(scores[number])
            windows = choice.windows(image, units.shape[2])
            above = choice.sort(upstream[0][number].to(x.dtype).flatten(1).T)  # (pixels, out)
            to_windows, answers = torch.empty_like(windows), []
            for region, places in choice.regions():
                kernel = kernel_of(region, units[number], weight, bias, x.shape[1])
                own = above[places]
                to_windows[:, places] = own @ kernel
                if scores_learn:
                    answers.append(convolved(windows, kernel).mul_(above).sum(dim=1))
                if kernels_learn:
                    to_kernel = own.T @ windows[:, places]  # (k * k, out, in)
                    to_taps = to_kernel.flatten(1)
                    beta = min(number, 1)  # the first image's overwrites
                    to_weight[region].addmm_(to_taps.T, units[number, region], beta=beta)
                    to_bias[region] += to_taps.sum(dim=0)
                    torch.mm(to_taps, weight[region], out=to_units[number, region])
            to_x[number] = choice.folded(to_windows)
            if scores_learn:
                to_scores[number] = choice.surrogate(torch.stack(answers), scores[number])
        slopes = to_x, to_units, to_weight, to_bias, to_scores
        return tuple(
            slope if wanted else None
            for slope, wanted in zip(slopes, ctx.needs_input_grad, strict=True)
        )


class Choice:
    """The pixels of one image, sorted by the region that its scores (R, H, W) choose."""

    def __init__(self, scores: Tensor) -> None:
        self.height, self.width = scores.shape[1:]
        choice = scores.argmax(dim=0).flatten()  # the first one on a tie
        self.order = choice.argsort(stable=True)
        self.counts: list[int] = torch.bincount(choice, minlength=len(scores)).tolist()

    def regions(self) -> Iterator[tuple[int, slice]]:
        """Yield each region with its places among the sorted pixels."""
        first = 0
        for region, pixels in enumerate(self.counts):
            yield region, slice(first, first + pixels)
            first += pixels

    def sort(self, rows: Tensor) -> Tensor:
        """Put the rows, one a pixel, in the order of the regions."""
        return rows.index_select(0, self.order)

    def windows(self, image: Tensor, taps: int) -> Tensor:
        """Return what each tap of a kernel sees, zeros outside.

        Shape: (C, H, W) -> (taps, sorted pixels, C).
        """
        side = round(taps**0.5)
        margin, stride = side // 2, self.width + side - 1
        padded = image.permute(1, 2, 0)
        if margin:
            padded = functional.pad(padded, (0, 0, margin, margin, margin, margin))
        corners = self.order // self.width * stride + self.order % self.width
        steps = torch.arange(side, device=corners.device)
        places = (steps[:, None] * stride + steps).view(-1, 1) + corners
        seen = padded.reshape(-1, image.shape[0]).index_select(0, places.flatten())
        return seen.view(taps, -1, image.shape[0])

    def folded(self, windows: Tensor) -> Tensor:
        """Return the gradient of `windows`: (C, H, W) of what each tap's values get."""
        side = round(len(windows) ** 0.5)
        margin, shape = side // 2, (self.height, self.width, windows.shape[2])
        total = windows.new_zeros(shape[0] + side - 1, shape[1] + side - 1, shape[2])
        unsorted = torch.empty_like(windows).index_copy_(1, self.order, windows)
        for tap, values in enumerate(unsorted):
            row, column = divmod(tap, side)
            total[row : row + shape[0], column : column + shape[1]] += values.view(shape)
        inside = total[margin : margin + shape[0], margin : margin + shape[1]]
        return inside.permute(2, 0, 1)

    def surrogate(self, answers: Tensor, scores: Tensor) -> Tensor:
        """Return the gradient of the scores (R, H, W) of each region's answers at sorted pixels."""
        answers = torch.empty_like(answers).index_copy_(1, self.order, answers)
        soft = scores.flatten(1).to(answers.dtype).softmax(dim=0)
        return (soft * (answers - (soft * answers).sum(dim=0))).view(scores.shape)


def kernel_of(region: int, units: Tensor, weight: Tensor, bias: Tensor, channels: int) -> Tensor:
    """Return the kernel of one image's region, (k * k, out, in)."""
    kernel = torch.addmm(bias[region], units[region], weight[region].T)
    return kernel.view(len(kernel), -1, channels)


def convolved(windows: Tensor, kernel: Tensor) -> Tensor:
    """Return windows (k * k, pixels, in) times kernel (k * k, out, in), summed over the taps.

    In float32 at least; shape (pixels, out).
    """
    if windows.dtype in (torch.float32, torch.float64):
        total = windows[0] @ kernel[0].T
        for tap in range(1, len(kernel)):
            total.addmm_(windows[tap], kernel[tap].T)
        return total
    return torch.bmm(windows, kernel.mT).sum(dim=0, dtype=torch.float32)


def pick(maps: Tensor, choice: Tensor) -> Tensor:
    """Each pixel's value from its region's map, without a gradient for the choice."""
    spread = choice.unsqueeze(2).expand(-1, 1, maps.shape[2], -1, -1)
    return maps.gather(1, spread).squeeze(1)


def pick_straight_through(maps: Tensor, scores: Tensor, choice: Tensor) -> Tensor:
    """RegionConv's choice in ordinary operations: the soft terms are zeros with a gradient."""
    soft = scores.to(torch.promote_types(scores.dtype, torch.float32)).softmax(dim=1)
    nothing = (soft - soft.detach()).unsqueeze(2)
    return pick(maps, choice) + (maps.detach() * nothing).sum(dim=1).to(maps.dtype)

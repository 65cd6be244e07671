"""DRConv by its formulas, pixel after pixel: slow, plain, without the package.

One image (C, H, W) and the learnable tensors by name in, the block's output out. The gradient that
autograd gives it is the paper's surrogate: the soft term is zero and has the softmax's derivative.
"""

import torch


def window(x, i, j, size):
    """The size x size values around pixel (i, j), zeros outside, (C, size, size)."""
    channels, height, width = x.shape
    rows = []
    for u in range(i - size // 2, i + size // 2 + 1):
        for v in range(j - size // 2, j + size // 2 + 1):
            inside = 0 <= u < height and 0 <= v < width
            rows.append(x[:, u, v] if inside else x.new_zeros(channels))
    return torch.stack(rows, dim=1).view(channels, size, size)


def bin_mean(x, u, v, size):
    """Mean of bin (u, v): indices floor(u L / k) up to ceil((u + 1) L / k) - 1 on each axis."""
    _, height, width = x.shape
    rows = [
        i for i in range(height) if u * height // size <= i < ((u + 1) * height + size - 1) // size
    ]
    columns = [
        j for j in range(width) if v * width // size <= j < ((v + 1) * width + size - 1) // size
    ]
    return sum(x[:, i, j] for i in rows for j in columns) / (len(rows) * len(columns))


def region_kernels(x, p, regions, out_channels, size):
    """[r] -> (out, in, size, size)."""
    first, first_bias = p["conv_kernel.1.weight"].flatten(1), p["conv_kernel.1.bias"]
    last, last_bias = p["conv_kernel.3.weight"].flatten(1), p["conv_kernel.3.bias"]
    cells = [(u, v) for u in range(size) for v in range(size)]
    units = [1 / (1 + torch.exp(-(first @ bin_mean(x, u, v, size) + first_bias))) for u, v in cells]
    rows = out_channels * x.shape[0]
    kernels = []
    for r in range(regions):
        here = slice(r * rows, (r + 1) * rows)
        own = slice(r * regions, (r + 1) * regions)
        grown = torch.stack([last[here] @ unit[own] + last_bias[here] for unit in units], dim=1)
        kernels.append(grown.view(out_channels, x.shape[0], size, size))
    return kernels


def drconv(x, p, *, region_num, out_channels, kernel_size):
    """The output, (out, H, W)."""
    _, height, width = x.shape
    kernels = region_kernels(x, p, region_num, out_channels, kernel_size)
    columns = []
    for i in range(height):
        for j in range(width):
            seen = window(x, i, j, kernel_size)
            scores = (p["conv_guide.weight"] * seen).sum(dim=(1, 2, 3)) + p["conv_guide.bias"]
            chosen = max(range(region_num), key=lambda r: scores[r].item())
            soft = torch.exp(scores - scores.max().detach())
            soft = soft / soft.sum()
            answers = [(kernel * seen).sum(dim=(1, 2, 3)) for kernel in kernels]
            terms = [
                ((r == chosen) + soft[r] - soft[r].detach()) * answers[r] for r in range(region_num)
            ]
            columns.append(sum(terms))
    return torch.stack(columns, dim=1).view(-1, height, width)

"""ACmix by its formulas, pixel after pixel and head after head: slow, plain, without the package.

One image (C, H, W) and the learnable tensors by name in, the block's output out; gradients are
autograd's. A map is a dict of pixels: (i, j) -> vector over the channels.
"""

import torch


def mirrored(index, length):
    """Walk back into 0..length-1: mirror at the first and the last pixel, as often as needed."""
    if length == 1:
        return 0
    while not 0 <= index < length:
        index = -index if index < 0 else 2 * (length - 1) - index
    return index


def coordinate(index, length):
    return -1.0 if length == 1 else -1.0 + 2.0 * index / (length - 1)


def acmix(x, p, *, head, kernel_att, kernel_conv):
    """The output, (out, H, W); conv_p's bias is not among `p`: it cancels."""
    _, height, width = x.shape
    pixels = [(i, j) for i in range(height) for j in range(width)]

    def project(name):
        weight, bias = p[f"{name}.weight"].flatten(1), p[f"{name}.bias"]
        return {(i, j): weight @ x[:, i, j] + bias for i, j in pixels}

    q, k, v = project("conv1"), project("conv2"), project("conv3")
    attended = attention_path(p, q, k, v, (height, width), head, kernel_att)
    convolved = convolution_path(p, q, k, v, (height, width), head, kernel_conv)
    rows = [p["rate1"] * attended[pixel] + p["rate2"] * convolved[pixel] for pixel in pixels]
    return torch.stack(rows, dim=1).view(-1, height, width)


def attention_path(p, q, k, v, shape, head, size):
    height, width = shape
    horizontal, vertical = p["conv_p.weight"].flatten(1).unbind(1)
    feature = {
        (i, j): horizontal * coordinate(j, width) + vertical * coordinate(i, height) for i, j in q
    }
    reach = range(-(size // 2), size // 2 + 1)
    depth = len(horizontal)
    result = {}
    for i, j in q:
        near = [(mirrored(i + s, height), mirrored(j + t, width)) for s in reach for t in reach]
        keys = torch.stack([k[n] for n in near]).view(-1, head, depth)
        values = torch.stack([v[n] for n in near]).view(-1, head, depth)
        distances = feature[i, j] - torch.stack([feature[n] for n in near])  # (offsets, d)
        logits = (q[i, j].view(head, depth) * (keys + distances[:, None])).sum(2) / depth**0.5
        weights = torch.exp(logits - logits.max().detach())
        weights = weights / weights.sum(0)  # (offsets, heads)
        result[i, j] = (weights[:, :, None] * values).sum(0).flatten()
    return result


def convolution_path(p, q, k, v, shape, head, size):
    taps, dep = p["fc.weight"].flatten(1), p["dep_conv.weight"]
    depth = dep.shape[0] // head
    mixed = {}  # pixel -> (taps, d)
    for pixel in q:
        maps = [source[pixel].view(head, depth) for source in (q, k, v)]
        mixed[pixel] = taps @ torch.cat(maps)
    result = {}
    for i, j in q:
        total = dep.new_zeros(dep.shape[0])
        for u in range(size):
            for w in range(size):
                place = i + u - size // 2, j + w - size // 2
                if place in mixed:
                    components = mixed[place].T.repeat_interleave(head, dim=0)  # (d * head, taps)
                    total = total + (dep[:, :, u, w] * components).sum(1)
        result[i, j] = total + p["dep_conv.bias"] if "dep_conv.bias" in p else total
    return result

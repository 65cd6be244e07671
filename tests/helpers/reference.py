"""Five blocks by their formulas, pixel after pixel: slow, plain, and without the package.

Each function takes one image (C, H, W), the learnable tensors by name and the options that the
formula needs, and returns the block's output. Gradients are autograd's. A map is handled as a dict
of pixels: (i, j) -> vector over the channels.
"""

import math

import torch

SIZES = ((1, 1), (2, 2), (3, 3), (7, 13), (15, 15), (20, 20), (25, 25))


def pixels_of(x):
    _, height, width = x.shape
    columns = x.flatten(1).unbind(1)
    return {(i, j): columns[i * width + j] for i in range(height) for j in range(width)}


def map_of(pixels, height, width):
    rows = [torch.stack([pixels[i, j] for j in range(width)], 1) for i in range(height)]
    return torch.stack(rows, 1)


def mean_of(vectors):
    return sum(vectors) / len(vectors)


def largest_of(vectors):
    best = vectors[0]
    for vector in vectors[1:]:
        best = torch.where(vector > best, vector, best)
    return best


def logistic(t):
    return 1 / (1 + torch.exp(-t))


def mish(t):
    return t * torch.tanh(torch.log(1 + torch.exp(t)))


def matrix(p, name):
    return p[name].flatten(1)


def correlate(pixels, weight):
    """Depthwise cross-correlation with zeros outside; weight (C, k, k)."""
    size = weight.shape[-1]
    taps = {(u, v): weight[:, u, v] for u in range(size) for v in range(size)}
    result = {}
    for i, j in pixels:
        reached = [
            tap * pixels[i + u - size // 2, j + v - size // 2]
            for (u, v), tap in taps.items()
            if (i + u - size // 2, j + v - size // 2) in pixels
        ]
        result[i, j] = sum(reached)
    return result


def cam(x, p):
    _, height, width = x.shape
    pixels = pixels_of(x)
    squeeze, to_row, to_column = (matrix(p, f"{n}.weight") for n in ("conv_1x1", "F_h", "F_w"))
    rows, columns = [], []
    for i in range(height):
        a = mean_of([pixels[i, j] for j in range(width)])
        rows.append(logistic(to_row @ mish(squeeze @ a)))
    for j in range(width):
        b = mean_of([pixels[i, j] for i in range(height)])
        columns.append(logistic(to_column @ mish(squeeze @ b)))
    return map_of({(i, j): v * rows[i] * columns[j] for (i, j), v in pixels.items()}, height, width)


def se(x, p):
    pixels = pixels_of(x)
    hidden = p["fc.0.weight"] @ mean_of(list(pixels.values()))
    gates = logistic(p["fc.2.weight"] @ torch.where(hidden > 0, hidden, 0 * hidden))
    return map_of({at: v * gates for at, v in pixels.items()}, *x.shape[1:])


def eca(x, p):
    pixels = pixels_of(x)
    means = mean_of(list(pixels.values())).unbind(0)
    taps = p["conv.weight"][0, 0].unbind(0)
    gates = []
    for c in range(len(means)):
        e = 0 * means[c]
        for j, tap in enumerate(taps):
            neighbour = c + j - (len(taps) - 1) // 2
            if 0 <= neighbour < len(means):
                e = e + tap * means[neighbour]
        gates.append(logistic(e))
    gates = torch.stack(gates)
    return map_of({at: v * gates for at, v in pixels.items()}, *x.shape[1:])


def cbam(x, p):
    first, second = (matrix(p, f"channelattention.fc{n}.weight") for n in (1, 2))

    def perceptron(s):
        hidden = first @ s
        return second @ torch.where(hidden > 0, hidden, 0 * hidden)

    pixels = pixels_of(x)
    vectors = list(pixels.values())
    gates = logistic(perceptron(mean_of(vectors)) + perceptron(largest_of(vectors)))
    pixels = {at: v * gates for at, v in pixels.items()}
    described = {
        at: torch.stack([mean_of(v.unbind(0)), largest_of(v.unbind(0))]) for at, v in pixels.items()
    }
    scores = correlate(described, p["spatialattention.conv1.weight"][0])
    return map_of({at: v * logistic(scores[at].sum()) for at, v in pixels.items()}, *x.shape[1:])


def attnconv(x, p, *, num_heads, group_split, kernel_sizes, window_size):
    channels, height, width = x.shape
    head_width = channels // num_heads
    pixels = pixels_of(x)
    local = [heads for heads, _ in zip(group_split[:-1], kernel_sizes, strict=True) if heads]
    outputs = [local_branch(pixels, p, t, head_width) for t in range(len(local))]
    if group_split[-1]:
        outputs.append(global_branch(pixels, p, head_width, window_size))
    joined = {at: torch.cat([output[at] for output in outputs]) for at in pixels}
    return map_of({at: affine(p, "proj", v) for at, v in joined.items()}, height, width)


def affine(p, name, v):
    result = matrix(p, f"{name}.weight") @ v
    return result + p[f"{name}.bias"] if f"{name}.bias" in p else result


def local_branch(pixels, p, t, head_width):
    qkv = {at: affine(p, f"qkvs.{t}", v) for at, v in pixels.items()}
    smoothed = correlate(qkv, p[f"convs.{t}.weight"][:, 0])
    result = {}
    for at, vector in smoothed.items():
        q, k, v = (vector + p[f"convs.{t}.bias"]).chunk(3)
        hidden = affine(p, f"act_blocks.{t}.act_block.0", q * k)
        a = affine(p, f"act_blocks.{t}.act_block.2", hidden * logistic(hidden))
        result[at] = torch.tanh(a / math.sqrt(head_width)) * v
    return result


def global_branch(pixels, p, head_width, window_size):
    windows = {}
    for (i, j), v in pixels.items():
        windows.setdefault((i // window_size, j // window_size), []).append(v)
    tokens = torch.stack([affine(p, "global_kv", mean_of(m)) for m in windows.values()])
    keys, values = (half.split(head_width, dim=1) for half in tokens.chunk(2, dim=1))
    result = {}
    for at, vector in pixels.items():
        heads = []
        for h, q in enumerate(affine(p, "global_q", vector).split(head_width)):
            scores = torch.exp(keys[h] @ q / math.sqrt(head_width))
            heads.append(scores / scores.sum() @ values[h])
        result[at] = torch.cat(heads)
    return result

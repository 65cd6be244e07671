"""All seven blocks against loops written from their formulas: values and gradients, on any map."""

import pytest
import reference
import torch
from reference_acmix import acmix
from reference_drconv import drconv

from yolox_attn.blocks import create_attention

FORMULAS = {name: getattr(reference, name) for name in ("cam", "se", "eca", "cbam", "attnconv")}
FORMULAS |= {"acmix": acmix, "drconv": drconv}
SMALL = ((1, 1), (2, 2), (3, 3), (7, 13))
LARGE = ((20, 20), (25, 25))  # the loops take seconds there: few cases
CASES = {
    "cam": ("cam", {"reduction": 4}),
    "se": ("se", {"ratio": 4}),
    "eca": ("eca", {"b": 2, "gamma": 1}),
    "cbam": ("cbam", {"ratio": 4, "kernel_size": 7}),
    "cbam-3": ("cbam", {"ratio": 2, "kernel_size": 3}),
    "attnconv": (
        "attnconv",
        {"num_heads": 4, "group_split": [2, 2], "kernel_sizes": [5], "window_size": 7},
    ),
    "attnconv-mixed": (
        "attnconv",
        {"num_heads": 4, "group_split": [1, 0, 1, 2], "kernel_sizes": [3, 5, 5], "window_size": 4},
    ),
    "acmix": ("acmix", {"kernel_att": 7, "head": 4, "kernel_conv": 3}),
    "acmix-narrower": (
        "acmix",
        {"kernel_att": 5, "head": 2, "kernel_conv": 3, "out_channels": 6},
    ),
    "acmix-bias": ("acmix", {"kernel_att": 3, "head": 1, "kernel_conv": 5, "dep_conv_bias": True}),
    "acmix-pointwise": (
        "acmix",
        {"kernel_att": 1, "head": 2, "kernel_conv": 1, "out_channels": 12},
    ),
    "drconv": ("drconv", {"kernel_size": 3, "region_num": 3, "out_channels": 6}),
    "drconv-pointwise": ("drconv", {"kernel_size": 1, "region_num": 3, "out_channels": 4}),
    "drconv-five": ("drconv", {"kernel_size": 5, "region_num": 2, "out_channels": 3}),
    "drconv-one-region": ("drconv", {"kernel_size": 3, "region_num": 1, "out_channels": 4}),
}
IN_THE_SHAPES = {  # options that the formula reads off the parameters
    **dict.fromkeys(
        ("cam", "se", "eca", "cbam"), ("reduction", "ratio", "kernel_size", "b", "gamma")
    ),
    "acmix": ("out_channels", "dep_conv_bias"),
}
PAIRS = [(case, size) for case in CASES for size in SMALL]
PAIRS += [(case, (20, 20)) for case in FORMULAS]
PAIRS += [(case, (25, 25)) for case in ("acmix", "attnconv")]  # cut into tiles and windows


def randomise(block, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
            parameter.mul_(0.5)


@pytest.mark.parametrize(
    ("case", "size"), PAIRS, ids=lambda x: x if isinstance(x, str) else "{}x{}".format(*x)
)
def test_equals_the_formula(case, size):
    name, options = CASES[case]
    block = create_attention(name, 8, **options).double()
    randomise(block, seed=sum(size))
    parameters = dict(block.named_parameters())
    images = 1 if size in LARGE else 2
    x = torch.randn(images, 8, *size, dtype=torch.float64, requires_grad=True)
    known = {k: v for k, v in options.items() if k not in IN_THE_SHAPES.get(name, ())}
    slow = torch.stack([FORMULAS[name](image, parameters, **known) for image in x])
    upstream = torch.randn_like(slow)
    sources = [x, *parameters.values()]
    expected = [slow, *torch.autograd.grad((slow * upstream).sum(), sources)]
    fast = block(x)
    found = [fast, *torch.autograd.grad((fast * upstream).sum(), sources)]
    rounding = 1e-12 + 1e-13 * max(b.abs().max() for b in expected)  # where gradients cancel
    for label, a, b in zip(["y", "x", *parameters], found, expected, strict=True):
        assert (a - b).abs().max() <= 1e-11 * b.abs().max() + rounding, label

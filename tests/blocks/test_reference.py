"""Five blocks against loops written from their formulas: values and gradients, at every size."""

import pytest
import reference
import torch

from yolox_attn.blocks import create_attention

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
}
BY_SHAPE_ALONE = ("reduction", "ratio", "kernel_size", "b", "gamma")


def randomise(block, seed):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
            parameter.mul_(0.5)


@pytest.mark.parametrize("size", reference.SIZES, ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("case", CASES)
def test_equals_the_formula(case, size):
    name, options = CASES[case]
    block = create_attention(name, 8, **options).double()
    randomise(block, seed=sum(size))
    parameters = dict(block.named_parameters())
    images = 2 if size[0] * size[1] < 100 else 1
    x = torch.randn(images, 8, *size, dtype=torch.float64, requires_grad=True)
    upstream = torch.randn_like(x)
    known = {key: value for key, value in options.items() if key not in BY_SHAPE_ALONE}
    slow = torch.stack([getattr(reference, name)(image, parameters, **known) for image in x])
    sources = [x, *parameters.values()]
    expected = [slow, *torch.autograd.grad((slow * upstream).sum(), sources)]
    fast = block(x)
    found = [fast, *torch.autograd.grad((fast * upstream).sum(), sources)]
    for label, a, b in zip(["y", "x", *parameters], found, expected, strict=True):
        assert (a - b).abs().max() <= 1e-11 * b.abs().max() + 1e-12, label

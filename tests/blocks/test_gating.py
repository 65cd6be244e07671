"""Pooling and gating next to torch's own: values, gradients, layouts, ties, what is kept."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from yolox_attn.blocks.gating import CHANNELS, PIXELS, gated, highest, mean

LAYOUTS = [torch.contiguous_format, torch.channels_last]
SHAPES = [(2, 3, 4, 5), (1, 1, 6, 1), (2, 4, 1, 1), (1, 2, 1, 7), (0, 3, 4, 5)]
Form = Callable[[Tensor], Tensor]


def torchs_highest(x: Tensor, *axes: int) -> Tensor:
    if axes == CHANNELS:
        return x.max(dim=1, keepdim=True).values
    return x.flatten(2).max(dim=2).values[:, :, None, None]


POOLS: dict[str, tuple[Form, Form]] = {
    "mean of all": (lambda x: mean(x, *PIXELS), lambda x: x.mean(dim=PIXELS, keepdim=True)),
    "of rows": (lambda x: mean(x, 3), lambda x: x.mean(dim=3, keepdim=True)),
    "of columns": (lambda x: mean(x, 2), lambda x: x.mean(dim=2, keepdim=True)),
    "of channels": (lambda x: mean(x, *CHANNELS), lambda x: x.mean(dim=1, keepdim=True)),
    "highest pixel": (lambda x: highest(x, *PIXELS), lambda x: torchs_highest(x, *PIXELS)),
    "highest channel": (lambda x: highest(x, *CHANNELS), lambda x: torchs_highest(x, *CHANNELS)),
}


def a_map(shape: tuple[int, ...], layout: torch.memory_format) -> Tensor:
    torch.manual_seed(0)
    x = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=layout)
    return x.requires_grad_()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", POOLS)
def test_pools_are_torchs(name: str, shape: tuple[int, ...], layout: torch.memory_format) -> None:
    ours, theirs = POOLS[name]
    x = a_map(shape, layout)
    assert torch.allclose(ours(x), theirs(x), rtol=1e-13, atol=1e-14)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), rtol=1e-13, atol=1e-14)
    above = torch.randn_like(ours(x))
    slopes = [torch.autograd.grad(form(x), x, above)[0] for form in (ours, theirs)]
    assert torch.allclose(*slopes, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("axes", [PIXELS, CHANNELS])
def test_where_values_tie_the_first_gets_the_gradient(
    axes: tuple[int, ...], layout: torch.memory_format
) -> None:
    x = torch.ones(2, 3, 4, 5).contiguous(memory_format=layout).requires_grad_()
    (slope,) = torch.autograd.grad(highest(x, *axes).sum(), x)
    first = (slice(None), slice(None), 0, 0) if axes == PIXELS else (slice(None), 0)
    expected = torch.zeros_like(x)
    expected[first] = 1
    assert torch.equal(slope, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kept", [[(1,)], [(2, 3)], [(1, 2), (1, 3)]], ids=["se", "pixel", "cam"])
def test_gated_is_the_product(
    kept: list[tuple[int, ...]], shape: tuple[int, ...], layout: torch.memory_format
) -> None:
    """`kept` are the axes that a gate has as long as the map's."""
    x = a_map(shape, layout)
    sizes = [[s if axis in (0, *axes) else 1 for axis, s in enumerate(shape)] for axes in kept]
    gates = [torch.rand(size, dtype=torch.float64).requires_grad_() for size in sizes]
    assert torch.autograd.gradcheck(gated, (x, *gates))
    product = x
    for gate in gates:
        product = product * gate
    assert torch.equal(gated(x, *gates), product)
    with torch.no_grad():
        assert torch.equal(gated(x, *gates), product)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_gradient_has_the_layout_of_the_map(layout: torch.memory_format) -> None:
    """Else the sum with another gradient, or the layer below, copies it."""
    x = a_map((2, 8, 6, 7), layout)
    rows, columns = (mean(x, axis).sigmoid() for axis in (3, 2))
    y = gated(gated(x, rows, columns), mean(x, *PIXELS) + highest(x, *PIXELS))
    y = gated(y, mean(y, *CHANNELS) + highest(y, *CHANNELS))
    assert y.stride() == x.stride()
    (slope,) = torch.autograd.grad(y, x, torch.rand_like(y))
    assert slope.stride() == x.stride()
    for axis in (2, 3):
        (slope,) = torch.autograd.grad(mean(x, axis).sum(), x)
        assert (slope + x).stride() == x.stride()


def test_of_two_gates_no_product_is_kept() -> None:
    kept: list[Tensor] = []
    x = a_map((1, 8, 6, 7), torch.contiguous_format)
    gates = [torch.rand(1, 8, 6, 1), torch.rand(1, 8, 1, 7)]

    def note(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        gated(x, *gates)
    assert sum(tensor.numel() == x.numel() for tensor in kept) == 1

"""Pooling and gating next to torch's own: values, gradients, layouts, ties, what is kept."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from yolox_attn.blocks.gating import CHANNELS, PIXELS, gated, highest, mean

LAYOUTS = [torch.contiguous_format, torch.channels_last]
SHAPES = [(2, 3, 4, 5), (1, 1, 6, 1), (2, 3, 7, 1), (2, 4, 1, 1), (1, 2, 1, 7), (0, 3, 4, 5)]
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


KEPT: dict[str, list[tuple[int, ...]]] = {  # the axes that each gate has as long as the map's
    "se": [(1,)], "pixel": [(2, 3)], "cam": [(1, 2), (1, 3)], "row": [(2,)], "column": [(3,)],
    "number": [()], "all": [(1, 2, 3)], "all and one": [(1, 2, 3), (1,)],
}  # fmt: skip


@pytest.mark.parametrize("above", LAYOUTS)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kept", KEPT)
def test_gated_is_the_product(
    kept: str, shape: tuple[int, ...], layout: torch.memory_format, above: torch.memory_format
) -> None:
    x = a_map(shape, layout)
    sizes = [[s if i in (0, *axes) else 1 for i, s in enumerate(shape)] for axes in KEPT[kept]]
    gates = [torch.rand(size, dtype=torch.float64).requires_grad_() for size in sizes]
    upstream = torch.randn(shape, dtype=torch.float64).contiguous(memory_format=above)
    product = x
    for gate in gates:
        product = product * gate
    y = gated(x, *gates)
    assert torch.equal(y, product)
    with torch.no_grad():
        assert torch.equal(gated(x, *gates), product)
    wanted = torch.autograd.grad(product, [x, *gates], upstream, create_graph=True)
    found = torch.autograd.grad(y, [x, *gates], upstream, retain_graph=True)
    again = torch.autograd.grad(y, [x, *gates], upstream, create_graph=True)
    for a, b, c in zip(found, wanted, again, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-13)
        assert torch.allclose(c, b, rtol=1e-12, atol=1e-13)
    seconds = [
        torch.autograd.grad(sum((g**2).sum() for g in grads), [x, *gates])
        for grads in (wanted, again)
    ]
    for a, b in zip(*seconds, strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-13)


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

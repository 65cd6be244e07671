"""Gradients of all blocks: torch's own or ours, they are those of the ordinary operations."""

import re
from unittest import mock

import pytest
import torch
from zoo import FORMATS, draw, every_size, every_trained_block, make


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@every_trained_block
def test_gradients_reach_every_parameter(name, training):
    block, x = make(name).train(training), draw(2, 16, 20, 20).requires_grad_()
    (block(x) * draw(2, 16, 20, 20)).sum().backward()
    assert x.grad.abs().sum() > 0
    for parameter_name, parameter in block.named_parameters():
        assert parameter.grad is not None, parameter_name
        assert parameter.grad.abs().sum() > 0, parameter_name


@pytest.mark.parametrize("size", [(1, 1), (2, 2)], ids="{0[0]}x{0[1]}".format)
@every_trained_block
def test_no_parameter_is_left_out_on_the_smallest_maps(name, size):
    """DistributedDataParallel waits for a gradient of each, be it zero."""
    block = make(name)
    block(draw(1, 16, *size)).sum().backward()
    assert [n for n, parameter in block.named_parameters() if parameter.grad is None] == []


@every_size
@every_trained_block
def test_gradients_do_not_depend_on_the_memory_format(name, size):
    """Of the map's and of the upstream gradient's."""
    block, x, above = make(name).double(), draw(2, 16, *size).double(), draw(2, 16, *size).double()
    found = []
    for formats in ((FORMATS[0], FORMATS[0]), (FORMATS[1], FORMATS[1]), (FORMATS[0], FORMATS[1])):
        block.zero_grad()
        own = x.clone(memory_format=formats[0]).requires_grad_()
        block(own).backward(above.clone(memory_format=formats[1]))
        found.append([own.grad, *(p.grad for p in block.parameters())])
    for other in found[1:]:
        for a, b in zip(found[0], other, strict=True):
            assert torch.allclose(a, b, rtol=1e-9, atol=1e-10)


@every_trained_block
def test_a_second_derivative_is_right_or_refused(name):
    block, x = make(name).double(), draw(1, 16, 5, 4).double().requires_grad_()

    def squared(form):
        y = form(x)
        (slope,) = torch.autograd.grad(y.square().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), x)[0]

    try:
        found = squared(block)
    except (RuntimeError, NotImplementedError) as error:
        assert re.search("derivative|not implemented|no autograd formula", str(error))
        return
    with (
        mock.patch.multiple("yolox_attn.blocks.gates", is_recorded=lambda: True),
        mock.patch("yolox_attn.blocks.gating.is_recorded", lambda: True),
    ):
        assert torch.allclose(found, squared(block), rtol=1e-8, atol=1e-9)


@every_trained_block
def test_backward_under_autocast_is_in_the_precision_of_the_forward_pass(name):
    block, x = make(name), draw(1, 16, 6, 5).requires_grad_()
    slopes = []
    for enabled in (False, True):
        y = block(x)
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            slopes.append(torch.autograd.grad(y.square().sum(), x)[0])
    assert torch.allclose(*slopes, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("name", ["cam", "se", "eca", "cbam", "attnconv"])
def test_torch_func_takes_gradients(name):
    block, x = make(name), draw(1, 16, 6, 5)
    parameters = dict(block.named_parameters())

    def loss(values):
        return torch.func.functional_call(block, values, x).square().sum()

    slopes = torch.func.grad(loss)(parameters)
    loss(parameters).backward()
    for key, values in parameters.items():
        assert torch.allclose(slopes[key], values.grad, rtol=1e-4, atol=1e-5)

"""What only DRConv does: a hard choice that learns, and no work on regions nobody chose."""

from unittest import mock

import pytest
import torch
from torch.nn import functional

from yolox_attn.blocks import drconv
from yolox_attn.blocks.drconv import BinMeans, DRConv

SIZES = [(1, 1), (2, 2), (3, 3), (7, 13), (15, 15), (20, 20), (25, 25)]
every_size = pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
every_side = pytest.mark.parametrize("side", [1, 3])


def make(channels=4, **options):
    torch.manual_seed(3)
    block = DRConv(channels, **options).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return block


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def all_maps(block, x):
    """What each region would give at every pixel, as a record computes it."""
    maps = []
    with (
        mock.patch.object(drconv, "is_recorded", lambda: True),
        mock.patch.object(drconv, "pick_straight_through", lambda made, *_: maps.append(made)),
    ):
        block.respond(x, block.conv_guide(x))
    return maps[0]


def distance(a, b):
    return ((a - b).abs().max() / b.abs().max()).item()


@every_size
@every_side
def test_chosen_region_alone_equals_all_regions(side, size):
    block, x = make(16, kernel_size=side, region_num=8, out_channels=12), draw(3, 16, *size)
    with torch.no_grad():
        chosen, dense = block(x), block(x.clone().requires_grad_())
        assert distance(chosen, dense) < 1e-12
    learning = block(x)
    assert learning.requires_grad
    assert distance(chosen, learning.detach()) < 1e-12


@every_side
def test_regions_without_a_pixel(side):
    block, x = make(kernel_size=side, region_num=4), draw(2, 4, 6, 5)
    with torch.no_grad():
        block.conv_guide.bias[2] += 1e3
        alone = block(x)
    assert distance(alone, block(x).detach()) < 1e-12
    alone_region = all_maps(block, x)[:, 2]
    assert distance(alone, alone_region.detach()) < 1e-12


def test_first_region_wins_a_tie():
    block, x = make(region_num=4), draw(2, 4, 3, 3)
    scores = torch.zeros(2, 4, 3, 3, dtype=torch.float64)
    expected = all_maps(block, x)[:, 0].detach()
    assert distance(block.respond(x, scores).detach(), expected) < 1e-12
    with torch.no_grad():
        assert distance(block.respond(x, scores), expected) < 1e-12


def test_frozen_block_passes_the_gradient_on():
    block, x = make(region_num=2), draw(1, 4, 5, 5).requires_grad_()
    (expected,) = torch.autograd.grad(block(x).square().sum(), x)
    block.eval().requires_grad_(False)(x).square().sum().backward()
    assert torch.equal(x.grad, expected)


@pytest.mark.parametrize("channels", [64, 256])
@pytest.mark.parametrize("region_num", [1, 4, 8])
@every_side
def test_fresh_block_keeps_the_scale_of_a_convolution(side, region_num, channels):
    torch.manual_seed(0)
    x = torch.randn(1, channels, 20, 20)
    with torch.no_grad():
        y = DRConv(channels, kernel_size=side, region_num=region_num)(x)
    assert 0.45 < y.std() < 0.75  # an ordinary convolution: 0.55 to 0.59


@pytest.mark.parametrize(("dtype", "limit"), [(torch.bfloat16, 3e-2), (torch.float16, 3e-3)])
@pytest.mark.parametrize("learning", [True, False], ids=["all regions", "chosen region"])
@every_side
def test_half_precision_is_close_where_the_choice_is_given(side, learning, dtype, limit):
    torch.manual_seed(0)
    block, x = DRConv(64, kernel_size=side), draw(2, 64, 20, 20).float()
    scores = block.conv_guide(x).detach()
    with torch.set_grad_enabled(learning):
        exact = block.respond(x, scores)
        with torch.autocast("cpu", dtype=dtype):
            mixed = block.respond(x, scores)
        rounded = block.to(dtype).respond(x.to(dtype), scores)
    assert distance(rounded.detach().float(), exact.detach()) < limit
    assert distance(mixed.detach().float(), exact.detach()) < limit


def test_surrogate_sums_do_not_overflow_in_half_precision():
    """Equal answers cancel, but each is 640000 here, past float16's largest number."""
    block = DRConv(64, region_num=2).half()
    with torch.no_grad():
        block.conv_kernel[3].weight.zero_()
        block.conv_kernel[3].bias.fill_(100 / 64)
    x = torch.ones(1, 64, 3, 3, dtype=torch.float16)
    scores = torch.randn(1, 2, 3, 3).half().requires_grad_()
    block.respond(x, scores).backward(torch.full_like(x, 100.0))
    assert scores.grad.abs().max() < 1  # the sums are nan where they are made in float16


@every_side
def test_recorded_form_learns_the_same(side):
    block, x = make(6, kernel_size=side, region_num=3), draw(2, 6, 4, 5)
    upstream, results = draw(2, 6, 4, 5), []
    for recorded in (False, True):
        block.zero_grad()
        own = x.clone().requires_grad_()
        with mock.patch.object(drconv, "is_recorded", lambda: recorded):  # noqa: B023 - used at once
            y = block(own)
        y.backward(upstream)
        results.append([y, own.grad, *(p.grad for p in block.parameters())])
    for a, b in zip(*results, strict=True):
        assert distance(a.detach(), b.detach()) < 1e-12


@every_side
def test_the_kernels_are_not_kept(side):
    """R kernels an image are most of what a plain form keeps, and R maps the rest."""
    block, kept = DRConv(32, kernel_size=side), {}
    own = {p.untyped_storage().data_ptr() for p in block.parameters()}

    def note(tensor):
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    x = torch.randn(1, 32, 16, 16, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        block(x)
    total = sum(size for place, size in kept.items() if place not in own)
    assert total < 2 * 4 * x.numel()  # the map, the scores and little else


@every_size
@pytest.mark.parametrize("side", [1, 3, 5])
def test_bin_means_are_adaptive_pooling(side, size):
    x = draw(2, 3, *size)
    assert distance(BinMeans(side)(x), functional.adaptive_avg_pool2d(x, side)) < 1e-12


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"kernel_size": 2}, "kernel_size must be odd, got 2"),
        ({"kernel_size": 0}, "kernel_size .* 0"),
        ({"region_num": 0}, "region_num .* 0"),
        ({"out_channels": 0}, "out_channels .* 0"),
        ({"kernel_size": 3, "padding": 0}, "padding must be .* 1.* got 0"),
        ({"padding": "same"}, "padding must be .* 'same'"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ValueError, match=f"DRConv: {words}"):
        DRConv(8, **options)

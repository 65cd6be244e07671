import pytest
import torch
from torch import nn

from yolox_attn.blocks import CBAM


def test_zero_weights_leave_a_quarter():
    block, x = CBAM(64), torch.randn(2, 64, 3, 5)
    for weight in block.parameters():
        nn.init.zeros_(weight)
    assert torch.equal(block(x), x / 4)


def test_the_mean_comes_before_the_maximum():
    """The authors' own code has them the other way round; both see the map after the first gate."""
    block = CBAM(2, ratio=1, kernel_size=1)
    with torch.no_grad():
        block.channelattention.fc2.weight.zero_()  # gates of one half: 1 and 5 become 0.5 and 2.5
        block.spatialattention.conv1.weight.copy_(torch.tensor([10.0, 1.0]).view(1, 2, 1, 1))
    y = block(torch.tensor([1.0, 5.0]).view(1, 2, 1, 1))
    gate = torch.tensor(10 * 1.5 + 2.5).sigmoid()
    torch.testing.assert_close(y.flatten(), torch.tensor([0.5, 2.5]) * gate)


def test_the_second_layer_is_applied_to_the_sum():
    """By hand, one channel: mean 2, maximum 4, fc1 = 3, fc2 = 0.1: sigmoid(0.1 * (6 + 12))."""
    block = CBAM(1, ratio=1, kernel_size=1)
    with torch.no_grad():
        block.channelattention.fc1.weight.fill_(3)
        block.channelattention.fc2.weight.fill_(0.1)
    gates = block.channelattention(torch.tensor([0.0, 2.0, 4.0]).view(1, 1, 1, 3))
    torch.testing.assert_close(gates.flatten(), torch.tensor([1.8]).sigmoid())


def test_tied_maxima_send_their_gradient_to_one_pixel():
    """As a pooling layer does; amax would split it, with the same output."""
    block = CBAM(2, ratio=1, kernel_size=1).double()
    for weight in block.channelattention.parameters():
        nn.init.constant_(weight, 0.1)  # no hidden unit is off
    x = torch.ones(1, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    gates = block.channelattention(x)
    (gradient,) = torch.autograd.grad(gates.sum(), x)
    pooled = nn.functional.adaptive_max_pool2d(x, 1) + 0 * x.mean()
    (first,) = torch.autograd.grad(pooled.sum(), x)
    jumps = (gradient - gradient[..., 1:, 1:].mean(dim=(2, 3), keepdim=True)).abs() > 1e-9
    assert torch.equal(jumps, first > 0)
    assert jumps.sum() == 2  # one pixel in each channel


def test_tied_channels_send_their_gradient_to_one_channel():
    block = CBAM(4, ratio=1, kernel_size=1).double()
    with torch.no_grad():
        block.spatialattention.conv1.weight[:, 0] = 0  # the maximum alone
    x = torch.ones(1, 4, 1, 1, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(block.spatialattention(x).sum(), x)
    assert (gradient.flatten() != 0).tolist() == [True, False, False, False]


@pytest.mark.parametrize("kernel_size", [1, 5, 9, 31])
def test_any_odd_kernel_on_any_map(kernel_size):
    block = CBAM(16, kernel_size=kernel_size)
    for size in ((1, 1), (2, 7), (20, 20)):
        assert block(torch.randn(1, 16, *size)).shape == (1, 16, *size)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_size": 4}, "CBAM: kernel_size must be odd, got 4"),
        ({"kernel_size": 0}, "CBAM: kernel_size must be a whole number of at least 1, got 0"),
        ({"ratio": -1}, "CBAM: ratio must be a whole number of at least 1, got -1"),
    ],
)
def test_refuses_what_it_cannot_build(options, message):
    with pytest.raises(ValueError, match=message):
        CBAM(16, **options)

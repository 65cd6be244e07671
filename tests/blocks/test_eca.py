import math

import pytest
import torch

from yolox_attn.blocks import ECA
from yolox_attn.blocks.eca import eca_kernel_size


@pytest.mark.parametrize(
    ("size", "channels"),
    [(1, (1, 2, 4)), (3, (8, 16, 64, 96)), (5, (128, 256, 512, 1024)), (7, (2048,))],
)
def test_kernel_sizes_of_the_paper(size, channels):
    """128 and 2048 hit an even whole number, which goes up and not to the nearest odd below."""
    assert [eca_kernel_size(c, 1, 2) for c in channels] == [size] * len(channels)


def test_zero_weights_halve_the_map():
    block, x = ECA(64), torch.randn(2, 64, 3, 5)
    torch.nn.init.zeros_(block.conv.weight)
    assert torch.equal(block(x), x / 2)


def test_the_first_tap_sees_the_channel_before():
    block = ECA(8)
    assert block.conv.kernel_size == (3,)
    with torch.no_grad():
        block.conv.weight.copy_(torch.tensor([[[1.0, 0.0, 0.0]]]))
    means = torch.arange(1.0, 9)
    gates = block(means.view(1, 8, 1, 1).expand(1, 8, 2, 2))[0, :, 0, 0] / means
    torch.testing.assert_close(gates, torch.cat([torch.zeros(1), means[:-1]]).sigmoid())


@pytest.mark.parametrize(("channels", "size"), [(256, 3), (512, 5), (1024, 5), (2048, 7), (48, 3)])
def test_the_authors_hand_written_kernel_sizes_can_be_asked_for(channels, size):
    block = ECA(channels, gamma=1, b=size + 0.5 - math.log2(channels))
    block.load_state_dict({"conv.weight": torch.ones(1, 1, size)}, strict=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 0}, "ECA: gamma must be finite and above 0, got 0"),
        ({"gamma": -2}, "ECA: gamma must be finite and above 0, got -2"),
        ({"gamma": math.nan}, "ECA: gamma must be finite and above 0, got nan"),
        ({"gamma": "2"}, "ECA: gamma must be a number, got '2'"),
        ({"b": math.inf}, "ECA: b must be finite, got inf"),
        ({"b": None}, "ECA: b must be a number, got None"),
    ],
)
def test_refuses_what_it_cannot_build(options, message):
    with pytest.raises(ValueError, match=message):
        ECA(64, **options)

import math

import pytest
import torch

from yolox_attn.blocks import SE


def test_zero_weights_halve_the_map():
    block, x = SE(32), torch.randn(2, 32, 3, 5)
    torch.nn.init.zeros_(block.fc[2].weight)
    assert torch.equal(block(x), x / 2)


def test_by_hand():
    """Means 2 and -1; hidden relu(3 * 2 - 1) = 5; gates sigmoid(5 * 0.2), sigmoid(5 * -0.4)."""
    block = SE(2, ratio=2)
    with torch.no_grad():
        block.fc[0].weight.copy_(torch.tensor([[3.0, 1.0]]))
        block.fc[2].weight.copy_(torch.tensor([[0.2], [-0.4]]))
    x = torch.tensor([[1.0, 3.0], [-4.0, 2.0]]).view(1, 2, 1, 2)
    up, down = 1 / (1 + math.exp(-1)), 1 / (1 + math.exp(2))
    expected = torch.tensor([[up, 3 * up], [-4 * down, 2 * down]]).view(1, 2, 1, 2)
    torch.testing.assert_close(block(x), expected)


def test_a_hidden_width_of_zero_cannot_freeze_the_gates():
    block = SE(8, ratio=16)
    assert block.fc[0].weight.shape == (1, 8)
    torch.nn.init.constant_(block.fc[0].weight, 0.5)
    torch.manual_seed(0)
    x = torch.randn(4, 8, 3, 3) + 3 * torch.eye(8)[:4, :, None, None]
    gates = (block(x) / x)[:, :, 0, 0]
    assert gates.std(dim=0).max() > 1e-4  # the gates follow the image


def test_float16_means_do_not_overflow():
    """6400 pixels of 1000 add up to 6.4 million; float16 ends at 65504."""
    block = SE(16).half()
    assert block(torch.full((1, 16, 80, 80), 1000.0, dtype=torch.float16)).isfinite().all()


def test_refuses_what_it_cannot_build():
    with pytest.raises(ValueError, match=r"SE: ratio must be .* got 0"):
        SE(8, ratio=0)

"""What the blocks share."""

import pytest
import torch

from yolox_attn.blocks.gates import (
    match_input,
    reduced_width,
    require_counts,
    require_flags,
    require_odd,
)


@pytest.mark.parametrize("value", [0, -1, 1.0, "3", True, None])
def test_counts(value):
    with pytest.raises(ValueError, match=r"^SE: ratio must be a whole number of at least 1, got"):
        require_counts("SE", channels=1, ratio=value)


def test_odd():
    require_odd("CBAM", kernel_size=1)
    with pytest.raises(ValueError, match=r"^CBAM: kernel_size must be odd, got 4$"):
        require_odd("CBAM", kernel_size=4)
    with pytest.raises(ValueError, match="at least 1, got -3"):
        require_odd("CBAM", kernel_size=-3)


@pytest.mark.parametrize("value", ["False", 0, None])
def test_flags(value):
    require_flags("AttnConv", qkv_bias=False)
    with pytest.raises(ValueError, match=r"^AttnConv: qkv_bias must be True or False, got"):
        require_flags("AttnConv", qkv_bias=value)


def test_reduced_width():
    assert [reduced_width(c, 16) for c in (8, 15, 16, 31, 32)] == [1, 1, 1, 1, 2]


@pytest.mark.parametrize("given", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("made", [torch.contiguous_format, torch.channels_last])
def test_match_input(given, made):
    x = torch.zeros(2, 3, 4, 5, dtype=torch.float16).to(memory_format=given)
    y = match_input(torch.ones(2, 6, 4, 5).to(memory_format=made), x)
    assert y.dtype == torch.float16
    assert y.is_contiguous(memory_format=given)

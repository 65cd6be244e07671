import pytest
import torch
from torch import nn

from yolox_attn.blocks import create_attention
from yolox_attn.models import IdentityStart
from yolox_attn.models.identity import identity_start


def test_it_starts_as_the_identity_bit_for_bit() -> None:
    x = torch.randn(2, 64, 5, 7)
    assert torch.equal(IdentityStart(create_attention("cbam", 64), 64)(x), x)


def test_gamma_one_is_the_bare_block() -> None:
    block = create_attention("acmix", 64)
    start = IdentityStart(block, 64)
    nn.init.ones_(start.gamma)
    x = torch.randn(2, 64, 5, 7)
    torch.testing.assert_close(start(x), block(x), rtol=1e-6, atol=1e-6)


def test_gamma_has_a_gradient_while_it_is_zero() -> None:
    start = IdentityStart(create_attention("se", 64), 64)
    start(torch.randn(2, 64, 5, 7)).square().sum().backward()
    assert start.gamma.grad is not None
    assert (start.gamma.grad != 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_type_of_the_map_is_kept(dtype: torch.dtype) -> None:
    start = IdentityStart(create_attention("se", 8).to(dtype), 8)  # gamma itself stays float32
    assert start(torch.ones(1, 8, 2, 2, dtype=dtype)).dtype == dtype


def test_other_channels_out_are_refused() -> None:
    with pytest.raises(ValueError, match="needs 64 channels out, not 32"):
        IdentityStart(create_attention("acmix", 64, out_channels=32), 64)


def test_what_starts_as_the_identity_stands_bare() -> None:
    control, block = create_attention("placebo", 8), create_attention("se", 8)
    assert identity_start(control, 8) is control
    wrapped = identity_start(block, 8)
    assert isinstance(wrapped, IdentityStart)
    assert wrapped.block is block

"""What only the controls do: start as the identity, and learn from there."""

import copy

import pytest
import torch
from torch import nn

from yolox_attn.blocks import ATTENTIONS, CONTROLS, Placebo, Plain, create_attention

OPTIONS = {"placebo": {}, "plain": {"like": "cbam"}}
SIZES = [(1, 1), (2, 2), (3, 3), (7, 13), (20, 20)]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]

every_control = pytest.mark.parametrize("name", CONTROLS)
every_size = pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)


def fresh(name: str, channels: int = 16) -> nn.Module:
    torch.manual_seed(0)
    return create_attention(name, channels, **OPTIONS[name])


def trained(name: str) -> nn.Module:
    """One that has left the identity."""
    block = fresh(name)
    for parameter in block.parameters():
        nn.init.normal_(parameter, std=0.5)
    return block


def draw(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1)).to(dtype)


def distance(a: torch.Tensor, b: torch.Tensor) -> float:
    return ((a.double() - b.double()).abs().max() / b.double().abs().max()).item()


def test_they_are_no_blocks_of_the_zoo():
    assert list(CONTROLS) == ["placebo", "plain"]
    assert not CONTROLS.keys() & ATTENTIONS.keys()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_size
@every_control
def test_a_fresh_one_is_the_identity_bit_for_bit(name, size, dtype):
    x = draw(2, 16, *size, dtype=dtype)
    assert torch.equal(fresh(name).to(dtype)(x), x)
    assert fresh(name).starts_as_identity


def test_placebo_scales_each_channel():
    block = Placebo(3)
    block.gamma.data = torch.tensor([0.0, 0.5, -1.0])
    x = draw(2, 3, 4, 5)
    assert torch.equal(block(x), torch.stack([x[:, 0], 1.5 * x[:, 1], 0 * x[:, 2]], dim=1))


def test_plain_adds_a_bottleneck():
    block, x = trained("plain").double(), draw(2, 16, 3, 4).double()
    hidden = nn.functional.silu(torch.einsum("oc,nchw->nohw", block.reduce.weight[..., 0, 0], x))
    expected = x + torch.einsum("co,nohw->nchw", block.expand.weight[..., 0, 0], hidden)
    assert distance(block(x), expected) < 1e-12


@pytest.mark.parametrize("channels", [16, 64, 128, 256, 320, 1024])
@pytest.mark.parametrize("like", sorted(ATTENTIONS.keys() - {"none"}))
def test_no_other_width_comes_nearer_to_the_count(like, channels):
    with torch.device("meta"):
        wanted = sum(p.numel() for p in create_attention(like, channels).parameters())
        block = create_attention("plain", channels, like=like)
    count = sum(p.numel() for p in block.parameters())
    assert (block.parameters_wanted, block.parameter_count) == (wanted, count)
    widths = range(1, wanted // channels + 2)
    nearest = min((2 * channels * h for h in widths), key=lambda n: abs(n - wanted))
    assert abs(count - wanted) == abs(nearest - wanted)
    assert f"parameters={count}, wanted={wanted}" in repr(block)


@pytest.mark.parametrize("like", ["cam", "se"])
def test_the_counts_of_cam_and_se_are_met_exactly_in_a_nano(like):
    for channels in (64, 128, 256):
        block = create_attention("plain", channels, like=like)
        assert block.parameter_count == block.parameters_wanted


def test_counting_draws_nothing():
    torch.manual_seed(3)
    Plain(16, parameters=640)
    alone = torch.rand(3)
    torch.manual_seed(3)
    create_attention("plain", 16, like="eca")
    few = torch.rand(3)
    torch.manual_seed(3)
    Plain(16, parameters=3)
    assert torch.equal(few, torch.rand(3))
    assert not torch.equal(few, alone)


@every_control
def test_every_parameter_learns_within_two_steps_of_a_fresh_one(name):
    block, x = fresh(name), draw(2, 16, 20, 20)
    optimizer = torch.optim.SGD(block.parameters(), lr=0.01)  # no decay: gradients alone move it
    before = copy.deepcopy(block.state_dict())
    for _ in range(2):
        optimizer.zero_grad()
        (block(x) * draw(2, 16, 20, 20)).sum().backward()
        optimizer.step()
    for key, value in block.state_dict().items():
        assert (value != before[key]).all(), key


@every_control
def test_the_gradient_is_that_of_the_formula(name):
    block, x = trained(name).double(), draw(1, 16, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(block, (x,))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "^plain needs the option like; it takes: like$"),
        ({"like": "none"}, "^plain: like must be one of cam, se, .*attnconv; got 'none'$"),
        ({"like": "plain"}, "like must be one of"),
        ({"like": None}, "like must be one of .* got None"),
    ],
)
def test_what_plain_is_like_is_refused_with_the_choices(options, says):
    with pytest.raises(ValueError, match=says):
        create_attention("plain", 16, **options)

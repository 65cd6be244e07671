"""The depthwise convolution next to torch's own: values and gradients, and when it steps back."""

import pytest
import torch
from torch import Tensor, nn

from yolox_attn.blocks import depthwise as module
from yolox_attn.blocks.depthwise import Depthwise, depthwise

LAYOUTS = [torch.contiguous_format, torch.channels_last]


def slopes_of(y: Tensor, x: Tensor, conv: nn.Conv2d, above: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(y, [x, *conv.parameters()], above))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("side", [5, 7])
@pytest.mark.parametrize("size", [(1, 1), (2, 7), (9, 12)], ids="{0[0]}x{0[1]}".format)
def test_it_is_torchs(
    size: tuple[int, int], side: int, bias: bool, layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 6, side, padding=side // 2, groups=6, bias=bias)
    x = torch.randn(3, 6, *size).contiguous(memory_format=layout).requires_grad_()
    above = torch.randn(3, 6, *size)
    y = depthwise(conv, x)
    assert torch.equal(y, conv(x))
    found = slopes_of(y, x, conv, above)
    exact_conv, exact = nn.Conv2d(6, 6, side, padding=side // 2, groups=6, bias=bias).double(), x
    exact_conv.load_state_dict(conv.state_dict())
    exact = x.detach().double().requires_grad_()
    wanted = slopes_of(exact_conv(exact), exact, exact_conv, above.double())
    for a, b in zip(found, wanted, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-5, atol=1e-5)


def test_only_what_learns_gets_a_gradient() -> None:
    conv = nn.Conv2d(4, 4, 5, padding=2, groups=4).requires_grad_(False)
    x = torch.randn(1, 4, 6, 6, requires_grad=True)
    depthwise(conv, x).sum().backward()
    assert x.grad is not None
    assert conv.weight.grad is None
    conv.requires_grad_(True)
    depthwise(conv, x.detach()).sum().backward()
    assert conv.weight.grad is not None


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [(1, 1), (9, 12)], ids="{0[0]}x{0[1]}".format)
def test_bfloat16_is_no_further_from_the_truth_than_torchs(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(6, 6, 5, padding=2, groups=6)
    x = torch.randn(3, 6, *size).contiguous(memory_format=layout).requires_grad_()
    above = torch.randn(3, 6, *size)
    exact = slopes_of(conv(x), x, conv, above)
    with torch.autocast("cpu", torch.bfloat16):
        y, torchs = depthwise(conv, x), conv(x)
    assert torch.equal(y, torchs)
    assert y.dtype == torch.bfloat16
    found, theirs = (slopes_of(each, x, conv, above.bfloat16()) for each in (y, torchs))
    for mine, other, truth in zip(found, theirs, exact, strict=True):
        assert mine.dtype == truth.dtype
        assert (mine - truth).norm() <= 1.1 * (other - truth).norm() + 1e-3 * truth.norm()


@pytest.mark.parametrize("case", ["float64", "3x3", "no grad", "fp16 autocast", "5x5", "autocast"])
def test_where_torchs_own_is_taken(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    class Noted(Depthwise):
        @staticmethod
        def apply(*args: Tensor) -> Tensor:
            taken.append(True)
            return Depthwise.apply(*args)

    monkeypatch.setattr(module, "Depthwise", Noted)
    side = 3 if case == "3x3" else 5
    conv, x = nn.Conv2d(4, 4, side, padding=side // 2, groups=4), torch.randn(1, 4, 6, 6)
    if case == "float64":
        conv, x = conv.double(), x.double()
    with (
        torch.set_grad_enabled(case != "no grad"),
        torch.autocast(
            "cpu",
            torch.float16 if case.startswith("fp16") else torch.bfloat16,
            enabled=case.endswith("autocast"),
        ),
    ):
        depthwise(conv, x)
    assert taken == ([True] if case in ("5x5", "autocast") else [])

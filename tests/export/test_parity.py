"""Parity is a verdict: what departs is caught, and a tie between regions is no fault."""

import copy

import pytest
import torch
from torch import Tensor, nn

from yolox_attn.blocks.drconv import DRConv
from yolox_attn.export.onnx import trace
from yolox_attn.export.parity import (
    Departure,
    compare_outputs,
    counted_ties,
    departure,
    first_departing,
    unmatched,
)


class Small(nn.Module):
    """Gives (N, anchors, 7) as a detector does, by a DRConv."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem, self.block = nn.Conv2d(3, 8, 3, stride=8, padding=1), DRConv(8)
        self.last = nn.Conv2d(8, 7, 1)

    def forward(self, images: Tensor) -> Tensor:
        return self.last(self.block(self.stem(images / 255).tanh())).flatten(2).permute(0, 2, 1)


class Off(nn.Module):
    """A network whose outputs are off by so much."""

    def __init__(self, model: nn.Module, column: int, amount: float) -> None:
        super().__init__()
        self.model, self.column, self.amount = model, column, amount

    def forward(self, images: Tensor) -> Tensor:
        outputs = self.model(images).clone()
        outputs[-1, -1, self.column] += self.amount
        return outputs


@pytest.fixture
def model() -> Small:
    return Small().eval()


@pytest.fixture
def batches() -> list[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [255 * torch.rand(n, 3, 64, 32 * w, generator=generator) for n, w in ((3, 2), (2, 3))]


def test_a_network_is_equal_to_itself(model: Small, batches: list[Tensor]) -> None:
    parity = compare_outputs(model, model, batches)
    assert parity.holds
    assert (parity.images, parity.sizes) == (5, ((64, 64), (64, 96)))
    assert parity.tied_images == 0
    assert 0 < parity.torch.boxes < parity.allowed.boxes < 1e-3


@pytest.mark.parametrize(("column", "part"), [(0, "boxes"), (3, "boxes"), (4, "probabilities")])
@pytest.mark.parametrize("amount", [1e-3, float("nan")])
def test_one_number_of_one_image_that_is_off_is_found(
    model: Small, batches: list[Tensor], column: int, part: str, amount: float
) -> None:
    parity = compare_outputs(model, Off(model, column, amount), batches)
    assert not parity.holds
    assert getattr(parity.exported, part) > getattr(parity.allowed, part)


def test_it_may_depart_as_far_as_three_roundings(model: Small, batches: list[Tensor]) -> None:
    allowed = compare_outputs(model, model, batches).allowed
    assert compare_outputs(model, Off(model.double(), 0, 0.9 * allowed.boxes), []).images == 0
    exact = copy.deepcopy(model).double()

    class Exact(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return exact(images.double())

    assert compare_outputs(model.float(), Off(Exact(), 0, 0.9 * allowed.boxes), batches).holds
    assert not compare_outputs(model, Off(Exact(), 0, 1.1 * allowed.boxes), batches).holds


def test_or_as_far_as_three_roundings_of_its_fused_form(
    model: Small, batches: list[Tensor]
) -> None:
    fused = Off(model, 0, 0.1)
    parity = compare_outputs(model, Off(model, 0, 0.2), batches, fused)
    assert parity.holds
    assert parity.torch.boxes == pytest.approx(0.1, rel=0.01)
    assert not compare_outputs(model, Off(model, 0, 0.4), batches, fused).holds
    assert compare_outputs(fused, Off(model, 0, 0.2), batches, model).torch.boxes > 0.09


def test_images_with_ties_are_counted_and_left_out(model: Small, batches: list[Tensor]) -> None:
    with torch.no_grad():  # two regions are one on every pixel of every image
        model.block.conv_guide.weight[1] = model.block.conv_guide.weight[0]
        model.block.conv_guide.bias[:2] = 100
    parity = compare_outputs(model, model, batches)
    assert (parity.tied_images, parity.ties) == (5, 3 * 64 + 2 * 96)
    assert parity.compared == 0


def test_ties_of_one_image_leave_the_others(model: Small, batches: list[Tensor]) -> None:
    with torch.no_grad():
        model.stem.bias.zero_()
        model.block.conv_guide.bias.zero_()
    batches[0][1] = 0  # black: all regions have the score 0
    parity = compare_outputs(model, Off(model, 0, 0.0), batches)
    assert (parity.tied_images, parity.ties) == (1, 64)
    assert parity.holds
    assert not compare_outputs(model, Off(model, 0, 1e-3), batches).holds


def test_hooks_are_taken_away(model: Small, batches: list[Tensor]) -> None:
    with counted_ties(model) as counts:
        model(batches[0])
        assert len(counts) == 1
    model(batches[0])
    assert len(counts) == 1


def test_departures_are_the_largest_of_either() -> None:
    assert Departure(1, 4) | Departure(2, 3) == Departure(2, 4)
    outputs = torch.zeros(1, 2, 7)
    outputs[0, 1, 2], outputs[0, 0, 6] = -0.5, 0.25
    assert departure(outputs, torch.zeros(1, 2, 7), 64) == Departure(0.5, 0.25)


def test_boxes_beyond_the_image_depart_in_proportion_and_those_without_bounds_not_at_all() -> None:
    expected = torch.zeros(1, 2, 7, dtype=torch.float64)
    expected[0, 0, 2] = 640
    outputs = expected.clone()
    outputs[0, 0, 2] += 5
    assert departure(outputs, expected, 64).boxes == pytest.approx(0.5)
    expected[0, 0, 2] = 1e31
    assert departure(outputs, expected, 64).boxes == 0
    outputs[0, 1, 0] = 0.25
    assert departure(outputs, expected, 64).boxes == 0.25


@pytest.mark.parametrize("wild", [12.0, 16.0, 50.0, 90.0])
def test_one_wild_anchor_does_not_hide_what_is_wrong_with_the_others(
    model: Small, batches: list[Tensor], wild: float
) -> None:
    class Wild(nn.Module):
        def __init__(self, off: float) -> None:
            super().__init__()
            self.model, self.off = copy.deepcopy(model), off

        def forward(self, images: Tensor) -> Tensor:
            outputs = self.model(images).clone()
            outputs[..., :2] += self.off
            outputs[:, 0, 2] = (outputs[:, 0, 2] + wild).exp()
            return outputs

    assert compare_outputs(Wild(0.0), Wild(0.0), batches).holds
    assert not compare_outputs(Wild(0.0), Wild(0.05), batches).holds


def test_boxes_without_an_equal_are_counted_in_any_order() -> None:
    rows = torch.rand(6, 7)
    rows[:, 5] = 1
    assert unmatched(rows, rows.flip(0)) == 0
    assert unmatched(rows, rows[:5]) == 1
    assert unmatched(rows[:0], rows) == 6
    assert unmatched(rows[:0], rows[:0]) == 0
    for column in (0, 3, 4, 6):
        other = rows.clone()
        other[2, column] += 2
        assert unmatched(rows, other) == 2


@pytest.mark.slow
def test_the_first_node_that_departs_is_named() -> None:
    pytest.importorskip("onnxscript")
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.SiLU(), nn.Conv2d(4, 2, 1))
    images = torch.rand(2, 3, 64, 96)
    program = trace(model)
    assert first_departing(program, images) is None
    weight = program.model.graph.initializers["0.weight"]
    from onnxscript import ir

    weight.const_value = ir.tensor(weight.const_value.numpy() + 1)
    assert str(first_departing(program, images)).startswith("conv2d (by up to ")

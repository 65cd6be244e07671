import math

import pytest
import torch
from torch import nn

from yolox_attn.blocks import CAM

OLD = {
    "bn.weight": torch.ones(2),
    "bn.bias": torch.zeros(2),
    "bn.running_mean": torch.zeros(2),
    "bn.running_var": torch.ones(2),
    "bn.num_batches_tracked": torch.tensor(0),
}


def test_zero_weights_leave_a_quarter():
    block, x = CAM(64), torch.randn(2, 64, 3, 5)
    for conv in (block.F_h, block.F_w):
        nn.init.zeros_(conv.weight)
    assert torch.equal(block(x), x / 4)


def test_by_hand():
    """One channel, one row 1 3: row mean 2, column means 1 and 3, W1 = 1, Fh = 0.5, Fw = -1."""
    block = CAM(1, reduction=1)
    with torch.no_grad():
        block.conv_1x1.weight.fill_(1)
        block.F_h.weight.fill_(0.5)
        block.F_w.weight.fill_(-1)
    y = block(torch.tensor([1.0, 3.0]).view(1, 1, 1, 2)).flatten().tolist()

    def mish(t):
        return t * math.tanh(math.log(1 + math.exp(t)))

    def logistic(t):
        return 1 / (1 + math.exp(-t))

    row = logistic(0.5 * mish(2))
    assert y == pytest.approx([row * logistic(-mish(1)), 3 * row * logistic(-mish(3))], rel=1e-5)


def test_rows_and_columns_are_told_apart():
    """With the columns' weights zero, all pixels of a row share one gate, and rows differ."""
    block, x = CAM(16, reduction=2).double(), torch.randn(1, 16, 5, 5).double()
    nn.init.zeros_(block.F_w.weight)
    gates = block(x) / x
    assert (gates - gates[..., :1]).abs().max() < 1e-12
    assert (gates - gates[..., :1, :]).abs().max() > 1e-3


def test_has_no_normalisation_to_be_left_without_gradient():
    assert {name for name, _ in CAM(64).named_parameters()} == {
        "conv_1x1.weight",
        "F_h.weight",
        "F_w.weight",
    }
    assert not any(isinstance(module, nn.BatchNorm2d) for module in CAM(64).modules())


@pytest.mark.parametrize("prefix", ["", "1.block."])
def test_old_checkpoints_load_without_their_unused_normalisation(prefix):
    block, source = CAM(64), CAM(64)
    whole = block if not prefix else nn.Sequential(nn.Identity(), nn.ModuleDict({"block": block}))
    state = {prefix + k: v for k, v in {**source.state_dict(), **OLD}.items()}
    names = list(state)
    whole.load_state_dict(state, strict=True)
    assert torch.equal(block.F_h.weight, source.F_h.weight)
    assert list(state) == names  # the caller's dict is left whole


def test_other_strange_keys_are_still_refused():
    state = CAM(64).state_dict()
    with pytest.raises(RuntimeError, match=r"bn\.gamma"):
        CAM(64).load_state_dict({**state, "bn.gamma": torch.ones(2)})
    with pytest.raises(RuntimeError, match=r"norm\.weight"):
        CAM(64).load_state_dict({**state, "norm.weight": torch.ones(2)})
    del state["F_w.weight"]
    with pytest.raises(RuntimeError, match=r"F_w\.weight"):
        CAM(64).load_state_dict({**state, **OLD})


def test_refuses_what_it_cannot_build():
    with pytest.raises(ValueError, match=r"CAM: reduction must be .* got 0"):
        CAM(64, reduction=0)

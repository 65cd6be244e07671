import math

import pytest
import torch

from yolox_attn.blocks import AttnConv
from yolox_attn.blocks.attnconv import ActBlock


def names(**options):
    return set(dict(AttnConv(32, **options).named_parameters()))


def only_global(channels, window_size):
    """Attention that sees all tokens alike (queries 0), values and output passed on unchanged."""
    block = AttnConv(
        channels, num_heads=1, group_split=[1], kernel_sizes=[], window_size=window_size
    ).double()
    eye = torch.eye(channels).view(channels, channels, 1, 1)
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
        block.global_kv.weight[channels:] = eye
        block.proj.weight.copy_(eye)
    return block


def test_local_branch_by_hand():
    """One channel, all weights 1, x = 2: q = k = v = 2, a = silu(4), out = tanh(a) * 2."""
    block = AttnConv(1, num_heads=1, group_split=[1, 0], kernel_sizes=[1])
    with torch.no_grad():
        for name, parameter in block.named_parameters():
            parameter.fill_(float(name.endswith("weight")))
    y = block(torch.full((1, 1, 1, 1), 2.0)).item()
    assert y == pytest.approx(2 * math.tanh(4 / (1 + math.exp(-4))), rel=1e-5)


def test_the_gate_is_scaled_by_the_head_width():
    """Weights and output map as above, biases 0.3 in act2 only: tanh(0.3 / sqrt 4) * v."""
    block = AttnConv(4, num_heads=1, group_split=[1, 0], kernel_sizes=[1])
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.zero_()
        block.act_blocks[0].act_block[2].bias.fill_(0.3)
        block.convs[0].bias[8:] = 1  # v = 1
        block.proj.weight.copy_(torch.eye(4).view(4, 4, 1, 1))
    y = block(torch.randn(1, 4, 2, 2))
    torch.testing.assert_close(y, torch.full_like(y, math.tanh(0.15)))


def test_partial_windows_average_what_they_hold():
    """3 x 3 in windows of 2: means 3, 4.5, 7.5 and 9, whose mean is 6. Dropping the border gives 3,
    averaging it with zeros 4.0625."""
    x = torch.arange(1.0, 10).view(1, 1, 3, 3).double()
    assert torch.equal(only_global(1, 2)(x), torch.full_like(x, 6))


@pytest.mark.parametrize("size", [(10, 10), (12, 20), (20, 20), (50, 50), (2, 2), (7, 7), (8, 6)])
def test_sizes_that_the_window_does_not_divide(size):
    """Where plain pooling drops borders, raises, or mixes heads up; 20 x 20 is P5 at 640."""
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    means = [
        x[:, :, i : i + 7, j : j + 7].mean(dim=(2, 3))
        for i in range(0, size[0], 7)
        for j in range(0, size[1], 7)
    ]
    expected = torch.stack(means).mean(dim=0)[:, :, None, None].expand_as(x)
    torch.testing.assert_close(only_global(3, 7)(x), expected, rtol=1e-12, atol=1e-12)


def test_heads_do_not_mix():
    """Changing the second head's queries, keys and values leaves the first head's output alone."""
    block = AttnConv(8, num_heads=2, group_split=[2], kernel_sizes=[], window_size=7).double()
    with torch.no_grad():
        block.proj.weight.copy_(torch.eye(8).view(8, 8, 1, 1))
    x = torch.randn(1, 8, 20, 20, dtype=torch.float64)
    before = block(x)
    with torch.no_grad():
        for start in (4, 12):
            block.global_kv.weight[start : start + 4] += 1
        block.global_q.weight[4:] += 1
    after = block(x)
    assert (after - before)[:, :4].abs().max() < 1e-12
    assert (after - before)[:, 4:].abs().min() > 0


def test_a_branch_without_heads_leaves_no_gap():
    """The second kernel size, and not the first, belongs to the first list entry."""
    block = AttnConv(32, num_heads=4, group_split=[0, 2, 2], kernel_sizes=[3, 5])
    assert [conv.kernel_size for conv in block.convs] == [(5, 5)]
    other = AttnConv(32, num_heads=4, group_split=[2, 2], kernel_sizes=[5])
    other.load_state_dict(block.state_dict(), strict=True)
    x = torch.randn(1, 32, 9, 9)
    assert torch.equal(block(x), other(x))


def test_branches_that_are_absent_own_nothing():
    local = names(num_heads=4, group_split=[4, 0], kernel_sizes=[3])
    assert not any("global" in name for name in local)
    whole = names(num_heads=4, group_split=[0, 4], kernel_sizes=[3])
    assert {name.split(".")[0] for name in whole} == {"global_q", "global_kv", "proj"}


def test_biases_are_an_option():
    without = names(qkv_bias=False)
    assert names(qkv_bias=True) - without == {
        f"{name}.bias" for name in ("qkvs.0", "global_q", "global_kv", "proj")
    }


def test_names_and_shapes_of_the_authors_checkpoints():
    """CloFormer-XXS, first stage: 32 channels, 4 heads, 3 of them local, kernel 3, window 8."""
    block = AttnConv(32, num_heads=4, group_split=[3, 1], kernel_sizes=[3], window_size=8)
    assert {name: tuple(value.shape) for name, value in block.state_dict().items()} == {
        "qkvs.0.weight": (72, 32, 1, 1),
        "qkvs.0.bias": (72,),
        "convs.0.weight": (72, 1, 3, 3),
        "convs.0.bias": (72,),
        "act_blocks.0.act_block.0.weight": (24, 24, 1, 1),
        "act_blocks.0.act_block.0.bias": (24,),
        "act_blocks.0.act_block.2.weight": (24, 24, 1, 1),
        "act_blocks.0.act_block.2.bias": (24,),
        "global_q.weight": (8, 32, 1, 1),
        "global_q.bias": (8,),
        "global_kv.weight": (16, 32, 1, 1),
        "global_kv.bias": (16,),
        "proj.weight": (32, 32, 1, 1),
        "proj.bias": (32,),
    }


def test_the_global_branch_keeps_no_score_of_every_pixel_with_every_token():
    """Window 1 at 32 x 32: 8 heads of 1024 x 1024 scores would be 32 MiB; the maps are 64 KiB."""
    block = AttnConv(16, num_heads=8, group_split=[8], kernel_sizes=[], window_size=1)
    kept = []

    def measure(tensor):
        kept.append(tensor.untyped_storage().nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(measure, lambda tensor: tensor):
        block(torch.randn(1, 16, 32, 32))
    assert max(kept) < 2**20


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_heads": 5}, "AttnConv: 32 channels cannot be split into num_heads=5"),
        ({"num_heads": 0}, "AttnConv: num_heads must be a whole number"),
        ({"num_heads": 4}, r"AttnConv: group_split must add up to num_heads=4, got \(4, 4\)"),
        ({"group_split": [4, 3]}, r"group_split must add up to num_heads=8, got \[4, 3\]"),
        ({"group_split": [9, -1]}, r"group_split must hold head counts >= 0, got \[9, -1\]"),
        ({"group_split": []}, r"group_split must add up to num_heads=8, got \[\]"),
        ({"group_split": 8}, "group_split must be a list of numbers, got 8"),
        ({"group_split": "44"}, "group_split must be a list of numbers, got '44'"),
        ({"kernel_sizes": [4]}, "kernel_sizes must be odd, got 4"),
        ({"kernel_sizes": [3, 5]}, r"needs one size for each local branch, 1 with .* got \[3, 5\]"),
        ({"kernel_sizes": 5}, "kernel_sizes must be a list of numbers, got 5"),
        ({"window_size": 0}, "AttnConv: window_size must be a whole number"),
        ({"qkv_bias": "False"}, "AttnConv: qkv_bias must be True or False, got 'False'"),
    ],
)
def test_refuses_what_it_cannot_build(options, message):
    with pytest.raises(ValueError, match=message):
        AttnConv(32, **options)


def test_unused_kernel_sizes_are_checked_all_the_same():
    with pytest.raises(ValueError, match="kernel_sizes must be odd, got 2"):
        AttnConv(32, group_split=[0, 8], kernel_sizes=[2])


def test_of_the_gates_own_maps_one_is_kept():
    """A plain form keeps three: the product, what the first map makes of it, and SiLU's of that."""
    act, kept = ActBlock(8), {}
    q, k = torch.randn(2, 1, 8, 6, 6, requires_grad=True).unbind()
    own = {values.untyped_storage().data_ptr() for values in (q, k, *act.parameters())}

    def note(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.numel()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        act(q, k, 0.5)
    maps = [size for place, size in kept.items() if place not in own and size >= q.numel()]
    assert maps == [q.numel()]

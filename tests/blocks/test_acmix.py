"""What only ACmix does: mirrored windows, two channel layouts, and its price."""

import pytest
import torch
from reference_acmix import mirrored
from torch.nn import functional

from yolox_attn.blocks import neighbourhood, tiles
from yolox_attn.blocks.acmix import ACmix
from yolox_attn.blocks.mirror import folded_indices, mirror_fold, mirror_pad

SIZES = [(1, 1), (2, 2), (3, 3), (7, 13), (15, 15), (20, 20), (25, 25)]
every_size = pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)


def make(channels=8, **options):
    """A block in float64 with every parameter random, those with a special start included."""
    torch.manual_seed(3)
    block = ACmix(channels, **options).double()
    with torch.no_grad():
        for parameter in block.parameters():
            parameter.copy_(0.5 * torch.randn_like(parameter))
    return block


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@every_size
@pytest.mark.parametrize("kernel", [1, 3, 5, 7, 9])
def test_tiles_equal_offsets(kernel, size):
    qkv, position = draw(2, 3, 2, 4, *size), draw(4, *size)
    results = []
    for attend in (neighbourhood.attend_by_offset, neighbourhood.attend_by_tile):
        sources = qkv.clone().requires_grad_(), position.clone().requires_grad_()
        out = attend(*sources, kernel)
        results.append([out, *torch.autograd.grad((out * draw(*out.shape)).sum(), sources)])
    for slow, fast in zip(*results, strict=True):
        assert (slow - fast).abs().max() <= 1e-12 * max(1, slow.abs().max())


def test_all_images_at_once_as_on_an_accelerator(monkeypatch):
    block, x = make(), draw(3, 8, 9, 20).requires_grad_()
    results = []
    for small in (True, False):
        for module in (neighbourhood, tiles):
            monkeypatch.setattr(module, "has_small_caches", lambda _, small=small: small)
        y = block(x)
        sources = [x, *block.parameters()]
        results.append([y, *torch.autograd.grad(y.square().sum(), sources)])
    for alone, together in zip(*results, strict=True):
        assert (alone - together).abs().max() <= 1e-11 * alone.abs().max()


def test_operator_keeps_torchs_rules():
    qkv, position = draw(1, 3, 1, 2, 3, 9).requires_grad_(), draw(2, 3, 9).requires_grad_()
    assert torch.autograd.gradcheck(neighbourhood.attend_by_tile, (qkv, position, 3))
    rules = ("test_schema", "test_autograd_registration", "test_faketensor")
    torch.library.opcheck(neighbourhood.attend_by_tile, (qkv, position, 3), test_utils=rules)


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 9])
@pytest.mark.parametrize("padding", [0, 1, 3, 4])
def test_mirror(length, padding):
    x = draw(2, 3, length, 2, 5)
    found = mirror_pad(x, padding, extra=(2, 0))
    rows = [mirrored(i, length) for i in range(-padding, length + padding + 2)]
    columns = [mirrored(j, 2) for j in range(-padding, 2 + padding)]
    assert torch.equal(found, x[:, :, rows][:, :, :, columns])
    if padding < length:
        line = torch.arange(length, dtype=torch.float64).view(1, 1, length)
        torchs = functional.pad(line, (padding, padding), mode="reflect").flatten().tolist()
        assert folded_indices(length, padding, padding).tolist() == torchs


@pytest.mark.parametrize("height", [1, 2, 5])
def test_mirror_fold_is_the_gradient_of_mirror_pad(height):
    x = draw(1, 2, height, 6, 3).requires_grad_()
    padded = mirror_pad(x, 3)
    upstream = draw(*padded.shape)
    (expected,) = torch.autograd.grad((padded * upstream).sum(), x)
    assert (mirror_fold(upstream, 3, height, 6) - expected).abs().max() < 1e-12


def test_lost_bias_is_an_option():
    assert "dep_conv.bias" not in ACmix(8).state_dict()
    block = ACmix(8, dep_conv_bias=True).double()
    assert torch.equal(block.dep_conv.bias, torch.zeros(8, dtype=torch.float64))
    x = draw(1, 8, 5, 5)
    before = block(x)
    with torch.no_grad():
        block.dep_conv.bias.add_(torch.arange(8))
    moved = 0.5 * torch.arange(8, dtype=torch.float64).view(1, 8, 1, 1).expand_as(x)
    assert (block(x) - before - moved).abs().max() < 1e-12


def test_tutorial_checkpoint_loads_strictly():
    block = ACmix(8)
    state = block.state_dict() | {"conv_p.bias": torch.ones(2)}
    ACmix(8).load_state_dict(state, strict=True)
    assert "conv_p.bias" in state  # the caller's dict is left alone
    nested = {f"0.{name}": value for name, value in state.items()}
    torch.nn.Sequential(ACmix(8)).load_state_dict(nested, strict=True)
    with pytest.raises(RuntimeError, match="conv_q"):
        ACmix(8).load_state_dict(state | {"conv_q.bias": torch.ones(2)}, strict=True)


def test_starts_as_published():
    block = ACmix(16)
    assert block.rate1.tolist() == block.rate2.tolist() == [0.5]
    for s in range(9):
        kernel = block.dep_conv.weight[:, s]
        assert (kernel[:, s // 3, s % 3] == 1).all()
        assert kernel.sum() == 16


def test_window_of_one_pixel_returns_the_values():
    block = make(kernel_att=1)
    with torch.no_grad():
        block.rate2.zero_()
    x = draw(2, 8, 4, 5)
    assert (block(x) - block.rate1 * block.conv3(x)).abs().max() < 1e-12


def test_far_larger_logits_do_not_overflow():
    block, x = make().float(), draw(1, 8, 9, 9).float().requires_grad_()
    y = block(1e3 * x)
    y.sum().backward()
    assert y.isfinite().all()
    assert x.grad.isfinite().all()


def test_attention_itself_is_in_float32():
    """Rounded logits would be off by several per cent here; only the result may be rounded."""
    qkv, position = (8 * draw(1, 3, 2, 16, 9, 20)).bfloat16(), draw(16, 9, 20).bfloat16()
    expected = neighbourhood.attend(qkv.double(), position.double(), 7)
    found = neighbourhood.attend(qkv, position, 7)
    assert (found - expected).abs().max() <= 2**-8 * expected.abs().max()
    qkv, position = qkv.float(), position.float()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = neighbourhood.attend(qkv, position, 7)
    assert torch.equal(found, neighbourhood.attend(qkv, position, 7))


def test_same_gradient_twice():
    block, x = make(), draw(2, 8, 20, 20).requires_grad_()
    first, second = (torch.autograd.grad(block(x).square().sum(), x)[0] for _ in range(2))
    assert torch.equal(first, second)


def test_memory_kept_for_the_backward_pass():
    block, x = ACmix(128), torch.randn(1, 128, 40, 40, requires_grad=True)
    storages = {}

    def note(tensor):
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        block(x)
    assert sum(storages.values()) <= 6 * 2**20  # the tutorial's form keeps 87 MiB


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": 3}, "out_channels = 8 .* head = 3"),
        ({"out_channels": 10}, "out_channels = 10 .* head = 4"),
        ({"head": 0}, "head .* 0"),
        ({"kernel_att": 6}, "kernel_att must be odd, got 6"),
        ({"kernel_conv": 2}, "kernel_conv must be odd, got 2"),
        ({"kernel_att": -1}, "kernel_att .* -1"),
        ({"out_channels": 0}, "out_channels .* 0"),
        ({"dep_conv_bias": "no"}, "dep_conv_bias .* 'no'"),
    ],
)
def test_impossible_options_are_refused(options, words):
    with pytest.raises(ValueError, match=f"ACmix: {words}"):
        ACmix(8, **options)

"""The controls keep every block's promises, start as the identity, and learn from there."""

import copy
import io
import pickle

import pytest
import torch
from torch import nn

from yolox_attn.blocks import ATTENTIONS, CONTROLS, Placebo, Plain, create_attention

OPTIONS = {"placebo": {}, "plain": {"like": "cbam"}}
SIZES = [(1, 1), (2, 2), (3, 3), (7, 13), (20, 20)]
FORMATS = [torch.contiguous_format, torch.channels_last]
DTYPES = [torch.float32, torch.float64, torch.bfloat16, torch.float16]
HALVES = {torch.bfloat16: 3e-2, torch.float16: 3e-3}

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


def test_they_stand_beside_the_zoo_not_in_it():
    assert list(CONTROLS) == ["placebo", "plain"]
    assert not CONTROLS.keys() & ATTENTIONS.keys()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_size
@every_control
def test_a_fresh_one_is_the_identity_bit_for_bit(name, size, dtype):
    x = draw(2, 16, *size, dtype=dtype)
    assert torch.equal(fresh(name).to(dtype)(x), x)
    assert fresh(name).starts_as_identity


@every_control
def test_a_trained_one_is_not(name):
    x = draw(2, 16, 7, 13)
    assert distance(trained(name)(x), x) > 0.1


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


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@every_size
@every_control
def test_keeps_shape_dtype_and_memory_format(name, size, dtype):
    for block_format in FORMATS:
        block = trained(name).to(dtype).to(memory_format=block_format)
        for memory_format in FORMATS:
            x = draw(2, 16, *size, dtype=dtype).to(memory_format=memory_format)
            y = block(x)
            assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device)
            assert y.is_contiguous(memory_format=memory_format)
            assert y.isfinite().all()


@every_size
@every_control
def test_neither_the_memory_format_nor_the_batch_changes_the_result(name, size):
    block, x = trained(name).double(), draw(3, 16, *size).double()
    alone = torch.cat([block(image[None]) for image in x])
    assert distance(block(x), alone) < 1e-12
    last = block.to(memory_format=torch.channels_last)
    assert distance(last(x.to(memory_format=torch.channels_last)), alone) < 1e-12


@pytest.mark.parametrize("dtype", HALVES, ids=str)
@every_control
def test_half_precision_and_autocast_stay_close_to_float32(name, dtype):
    block = trained(name)
    expected = block(draw(2, 16, 7, 13))
    half = copy.deepcopy(block).to(dtype)(draw(2, 16, 7, 13, dtype=dtype))
    assert distance(half, expected) < HALVES[dtype]
    for given in (torch.float32, torch.float64, *HALVES):
        block = trained(name).to(torch.float64 if given is torch.float64 else torch.float32)
        x = draw(2, 16, 7, 13, dtype=given).requires_grad_()
        with torch.autocast("cpu", dtype=dtype):
            y = block(x)
        y.float().square().sum().backward()
        assert (y.dtype, x.grad.dtype) == (given, given)
        assert distance(y, expected) < 3e-2


@every_control
def test_meta_device_and_every_width_of_yolox(name):
    for channels in (64, 96, 128, 192, 256, 320, 512, 1024, 1280):
        with torch.device("meta"):
            block, x = fresh(name, channels), torch.empty(1, channels, 2, 2)
        assert (block(x).shape, block(x).device) == (x.shape, x.device)


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


@pytest.mark.parametrize("size", [(1, 1), (2, 2)], ids=str)
@every_control
def test_no_parameter_is_left_out_on_the_smallest_maps(name, size):
    block = fresh(name)
    block(draw(1, 16, *size)).sum().backward()
    assert [n for n, parameter in block.named_parameters() if parameter.grad is None] == []


@every_control
def test_the_gradient_is_that_of_the_formula(name):
    block, x = trained(name).double(), draw(1, 16, 2, 3).double().requires_grad_()
    assert torch.autograd.gradcheck(block, (x,))


@every_control
def test_copies_pickles_and_states(name):
    block, x = trained(name), draw(2, 16, 7, 13)
    kept, expected = x.clone(), block(x)
    stream = io.BytesIO()
    torch.save(block, stream)
    stream.seek(0)
    other = fresh(name)
    other.load_state_dict(block.state_dict(), strict=True)
    loaded = torch.load(stream, weights_only=False)
    for each in (copy.deepcopy(block), pickle.loads(pickle.dumps(block)), loaded, other):
        assert torch.equal(each(x), expected)
    assert torch.equal(block.eval()(x), expected)
    assert torch.equal(x, kept)
    assert list(block.buffers()) == []


@every_control
def test_exports_with_any_batch_and_compiles_to_one_graph(name):
    block, x = trained(name).eval(), draw(5, 16, 20, 20)
    batch = {0: torch.export.Dim("batch", min=1, max=64)}
    program = torch.export.export(block, (draw(2, 16, 20, 20),), dynamic_shapes=(batch,))
    assert distance(program.module()(x), block(x)) < 1e-5
    assert distance(torch.compile(block, backend="eager", fullgraph=True)(x), block(x)) < 1e-5


@pytest.mark.slow
@every_control
def test_exports_to_onnx(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    block, x, path = trained(name).eval(), draw(1, 16, 20, 12), tmp_path / "block.onnx"
    with torch.no_grad():
        torch.onnx.export(block, (x,), path, dynamo=True, opset_version=18)
        session = onnxruntime.InferenceSession(path)
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        assert distance(torch.from_numpy(y), block(x)) < 1e-5


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("placebo", {"rato": 4}, "^placebo has no option rato; it takes none$"),
        ("plain", {"rato": 4}, "^plain has no option rato; it takes: like$"),
        ("plain", {}, "^plain needs the option like; it takes: like$"),
        ("plain", {"like": "none"}, "^plain: like must be one of cam, se, .*attnconv; got 'none'$"),
        ("plain", {"like": "plain"}, "like must be one of"),
        ("plain", {"like": None}, "like must be one of .* got None"),
        ("placebos", {}, "^unknown attention 'placebos'; known: acmix.*; controls: placebo, plain"),
    ],
)
def test_misspelt_names_and_options_are_refused_with_the_choices(name, options, says):
    with pytest.raises(ValueError, match=says):
        create_attention(name, 16, **options)


@pytest.mark.parametrize("channels", [0, -8, 2.5, "64", True, None])
@every_control
def test_channels_must_be_a_count(name, channels):
    with pytest.raises(ValueError, match=f"^{name}: channels"):
        create_attention(name, channels, **OPTIONS[name])

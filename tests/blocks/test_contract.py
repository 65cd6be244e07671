"""What all blocks of the zoo promise, whatever they compute, and the two controls with them."""

import copy
import io
import pickle
from itertools import product

import pytest
import torch
from zoo import (
    ALL,
    FORMATS,
    NEEDED,
    SIZES,
    distance,
    draw,
    every_block,
    every_size,
    every_trained_block,
    make,
)

from yolox_attn.blocks import ATTENTIONS, create_attention

HALVES = {torch.bfloat16: 3e-2, torch.float16: 3e-3}
DTYPES = [torch.float32, torch.float64, *HALVES]
HARD_CHOICE = {"drconv"}  # its regions flip where rounded scores tie: test_drconv.py fixes them


@every_size
@every_block
def test_keeps_shape_dtype_and_memory_format(name, size):
    for dtype, block_format in product(DTYPES, FORMATS):
        block = make(name).to(dtype).to(memory_format=block_format)
        for batch, memory_format in product((1, 2), FORMATS):
            x = draw(batch, 16, *size, dtype=dtype).to(memory_format=memory_format)
            y = block(x)
            assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device)
            assert y.is_contiguous(memory_format=memory_format)
            assert y.isfinite().all()


@every_size
@every_block
def test_neither_the_memory_format_nor_the_batch_changes_the_result(name, size):
    block, x = make(name).double(), draw(3, 16, *size).double()
    expected = torch.cat([block(image[None]) for image in x])
    every_second = torch.stack([x, x + 1], dim=-1).flatten(3)[..., ::2]
    assert not every_second.is_contiguous() or size == (1, 1)
    assert distance(block(x), expected) < 1e-12
    assert distance(block(every_second), expected) < 1e-12
    block = block.to(memory_format=torch.channels_last)
    assert distance(block(x.to(memory_format=torch.channels_last)), expected) < 1e-12


@pytest.mark.parametrize("size", [(2, 2), (7, 13), (20, 20)], ids="{0[0]}x{0[1]}".format)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@pytest.mark.parametrize("name", [name for name in ALL if name not in HARD_CHOICE])
def test_half_precision_is_close_to_float32(name, dtype, size):
    block, x = make(name), draw(2, 16, *size)
    with torch.no_grad():
        expected = block(x)
        assert distance(copy.deepcopy(block).to(dtype)(x.to(dtype)), expected) < HALVES[dtype]


@pytest.mark.parametrize("given", [torch.float32, torch.float64, None], ids=str)
@pytest.mark.parametrize("dtype", HALVES, ids=str)
@every_block
def test_autocast_returns_the_type_it_was_given(name, dtype, given):
    given = given or dtype
    block = make(name)
    block = block.double() if given is torch.float64 else block
    for memory_format in FORMATS:
        x = draw(2, 16, 7, 13, dtype=given).to(memory_format=memory_format).requires_grad_()
        with torch.autocast("cpu", dtype=dtype):
            y = block(x)
        y.float().square().sum().backward()
        assert y.dtype == given
        assert y.is_contiguous(memory_format=memory_format)
        assert x.grad.dtype == given
        assert x.grad.isfinite().all()
        if name not in HARD_CHOICE and given is torch.float32:
            assert distance(y.detach(), block(x).detach()) < 3e-2


@every_block
def test_one_half_under_autocast_to_the_other(name):
    """torch's own `cat` and `stack` refuse it."""
    for given, dtype in ((torch.float16, torch.bfloat16), (torch.bfloat16, torch.float16)):
        with torch.autocast("cpu", dtype=dtype):
            assert make(name)(draw(1, 16, 7, 7, dtype=given)).dtype == given


@every_size
@every_block
def test_meta_device(name, size):
    with torch.device("meta"):
        block = make(name)
    for memory_format in FORMATS:
        x = torch.empty(2, 16, *size, device="meta").to(memory_format=memory_format)
        y = block(x)
        assert (y.shape, y.dtype, y.device) == (x.shape, x.dtype, x.device)
        assert y.is_contiguous(memory_format=memory_format)


@every_block
def test_train_and_eval_agree(name):
    block, x = make(name).double(), draw(2, 16, 7, 13).double()
    with torch.no_grad():
        quiet = block.eval()(x)
    assert distance(quiet, block.train()(x)) < 1e-12


@every_block
def test_input_is_left_alone(name):
    block, x = make(name), draw(2, 16, 7, 13)
    kept, version = x.clone(), x._version
    block(x)
    assert torch.equal(x, kept)
    assert x._version == version


@every_block
def test_copies_and_pickles_after_use(name):
    block, x = make(name), draw(2, 16, 7, 13).requires_grad_()
    expected = block(x)
    expected.sum().backward()
    stream = io.BytesIO()
    torch.save(block, stream)
    stream.seek(0)
    copies = [
        copy.deepcopy(block),
        pickle.loads(pickle.dumps(block)),
        torch.load(stream, weights_only=False),
    ]
    for other in copies:
        assert torch.equal(other(x), expected)
        for mine, theirs in zip(block.parameters(), other.parameters(), strict=True):
            assert mine.data_ptr() != theirs.data_ptr()


@every_block
def test_state_loads_into_a_fresh_block(name):
    block, x = make(name), draw(2, 16, 7, 13)
    torch.manual_seed(5)
    other = create_attention(name, 16, **NEEDED.get(name, {}))
    assert all(p.std() == 0 or not torch.equal(p, q) for p, q in pairs_of_random(block, other))
    other.load_state_dict(block.state_dict(), strict=True)
    assert torch.equal(other(x), block(x))


def pairs_of_random(block, other):
    """Parameters drawn at random; those with a fixed start (rates, shift kernels) are left out."""
    fixed = ("rate1", "rate2", "dep_conv.weight")
    pairs = zip(block.named_parameters(), other.parameters(), strict=True)
    return [(p, q) for (name, p), q in pairs if name not in fixed]


@every_block
def test_state_does_not_grow(name):
    block = make(name)
    block(draw(1, 16, 20, 20))
    before = len(pickle.dumps(block))
    for size in SIZES:
        for dtype in (torch.float32, torch.bfloat16):
            with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype is torch.bfloat16):
                block(draw(2, 16, *size))
    assert len(pickle.dumps(block)) == before
    assert list(block.buffers()) == []


@pytest.mark.parametrize("width", [0.25, 0.375, 0.5, 0.75, 1.0, 1.25])
@every_block
def test_the_channels_alone_are_enough_for_every_yolox(name, width):
    for channels in (256, 512, 1024):
        with torch.device("meta"):
            block = make(name, int(channels * width))
            x = torch.empty(1, int(channels * width), 2, 2)
        assert block(x).shape == x.shape


@every_block
def test_exports(name):
    block, x = make(name).eval(), draw(1, 16, 20, 20)
    program = torch.export.export(block, (x,))
    assert distance(program.module()(x), block(x)) < 1e-5


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("acmix", "drconv")])
def test_exports_with_a_batch_of_any_size(name):
    block, batch = make(name).eval(), torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(block, (draw(2, 16, 20, 20),), dynamic_shapes=({0: batch},))
    x = draw(5, 16, 20, 20)
    assert distance(program.module()(x), block(x)) < 1e-5


@pytest.mark.slow
@every_trained_block
def test_exports_to_onnx_for_maps_of_any_size(name, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    block, path, any_length = make(name).eval(), tmp_path / "block.onnx", torch.export.Dim.DYNAMIC
    shapes = ({0: any_length, 2: any_length, 3: any_length},)
    torch.onnx.export(block, (draw(2, 16, 20, 12),), path, dynamo=True, dynamic_shapes=shapes)
    session = onnxruntime.InferenceSession(path)
    for shape in ((1, 16, 20, 12), (3, 16, 7, 40), (1, 16, 1, 1), (2, 16, 3, 1)):
        x = draw(*shape)
        (y,) = session.run(None, {session.get_inputs()[0].name: x.numpy()})
        with torch.no_grad():
            assert distance(torch.from_numpy(y), block(x)) < 1e-5, shape


@every_trained_block
def test_compiles_to_one_graph(name):
    block, x = make(name).eval(), draw(1, 16, 20, 20)
    compiled = torch.compile(block, backend="eager", fullgraph=True)
    assert distance(compiled(x), block(x)) < 1e-5


OPTIONS = {  # one that each takes
    **{"none": "none", "cam": "reduction", "se": "ratio", "eca": "gamma", "cbam": "kernel_size"},
    **{"acmix": "kernel_att", "drconv": "region_num", "attnconv": "window_size"},
    **{"placebo": "none", "plain": "like"},
}


@every_block
def test_misspelt_option_is_refused_with_the_choices(name):
    with pytest.raises(ValueError, match=rf"^{name} has no option rato; it takes.*{OPTIONS[name]}"):
        create_attention(name, 16, rato=4)


def test_misspelt_name_is_refused_with_the_choices():
    known = r"unknown attention 'cbma'; known: acmix, .*; controls: placebo, plain$"
    with pytest.raises(ValueError, match=known) as refusal:
        create_attention("cbma", 16)
    assert all(name in str(refusal.value) for name in ATTENTIONS)


@pytest.mark.parametrize("channels", [0, -8, 2.5, "64", True, None])
@every_block
def test_channels_must_be_a_count(name, channels):
    with pytest.raises(ValueError, match="channels"):
        create_attention(name, channels, **NEEDED.get(name, {}))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every_block
def test_the_gpu_agrees_with_the_cpu(name):
    for size in SIZES:
        block, x = make(name).double(), draw(2, 16, *size).double().requires_grad_()
        expected = block(x)
        expected.square().sum().backward()
        there, again = copy.deepcopy(block).to("cuda"), x.detach().to("cuda").requires_grad_()
        y = there(again)
        y.square().sum().backward()
        assert distance(y.detach().cpu(), expected.detach()) < 1e-10
        assert distance(again.grad.cpu(), x.grad) < 1e-10


@pytest.mark.parametrize("name", ["cam", "se", "eca", "cbam"])
def test_gates_are_traced(name):
    block, x = make(name), draw(1, 16, 6, 5)
    for traced in (torch.jit.trace(block, x), torch.fx.symbolic_trace(block)):
        assert torch.allclose(traced(x), block(x), rtol=1e-5, atol=1e-6)


def test_hooks_of_a_depthwise_convolution_are_called():
    block, seen = make("attnconv"), []
    block.convs[0].register_forward_hook(lambda *_: seen.append(True))
    block(draw(1, 16, 6, 5))
    assert seen


def test_the_output_may_be_changed_in_place():
    for name in ("cam", "se", "eca", "cbam", "acmix", "drconv", "attnconv"):
        for memory in FORMATS:
            x = draw(1, 16, 6, 5).contiguous(memory_format=memory).requires_grad_()
            make(name)(x).add_(1).sum().backward()

"""All seven blocks against the reference vectors next to the checkout, where there are any.

`pytest tests/blocks/test_golden.py -s` ends with a table of the worst relative errors.
"""

import json
import sys
from collections import defaultdict
from pathlib import Path

import pytest
import torch

from yolox_attn.blocks import create_attention

FOLDER = Path(__file__).parents[2].parent / "shared" / "golden"
FILES = sorted(FOLDER.glob("*_public_*.safetensors"))
CHANNEL_KEYS = ("channels", "channel", "dim", "in_planes", "in_channels")
WITHOUT_GRADIENT = {"conv_p.bias"}  # cancels in ACmix's softmax
LIMITS = {torch.float64: (1e-9, 1e-10), torch.float32: (2e-4, 1e-5)}

safetensors = pytest.importorskip("safetensors")
if not FILES:
    pytest.skip(f"no reference vectors in {FOLDER}", allow_module_level=True)


@pytest.fixture(scope="module")
def worst():
    """Largest error over largest entry, by (block, column); written out after the last test."""
    table = defaultdict(float)
    yield table
    columns = sorted({column for _, column in table})
    sys.stdout.write(f"\n{'worst relative error':22}{''.join(f'{c:>16}' for c in columns)}\n")
    for block in sorted({block for block, _ in table}):
        row = "".join(f"{table[block, column]:16.1e}" for column in columns)
        sys.stdout.write(f"{block:22}{row}\n")


def load(path):
    with safetensors.safe_open(path, "pt") as file:
        case = json.loads(file.metadata()["json"])
        return case, {name: file.get_tensor(name).double() for name in file.keys()}  # noqa: SIM118


def build(case):
    options = dict(case["hyper_parameters"])
    channels = next(options.pop(key) for key in CHANNEL_KEYS if key in options)
    if "out_planes" in options:
        options["out_channels"] = options.pop("out_planes")
    return create_attention(case["block"], channels, **options)


def parameters_of(tensors):
    return {k.removeprefix("param."): v for k, v in tensors.items() if k.startswith("param.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parameter_names(path):
    case, tensors = load(path)
    shapes = {name: value.shape for name, value in parameters_of(tensors).items()}
    for name in {*case["unused_params"], *WITHOUT_GRADIENT}:
        shapes.pop(name, None)
    assert {name: p.shape for name, p in build(case).named_parameters()} == shapes


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_values_and_gradients(path, dtype, training, worst):
    case, tensors = load(path)
    block = build(case).to(dtype).train(training)
    block.load_state_dict(parameters_of(tensors), strict=True)
    x = tensors["x"].to(dtype).requires_grad_()
    y = block(x)
    (y * tensors["upstream"].to(dtype)).sum().backward()
    found = {"y": y, "grad_x": x.grad}
    found |= {f"grad.{name}": p.grad for name, p in block.named_parameters()}
    relative, absolute = LIMITS[dtype]
    column = f"{str(dtype).removeprefix('torch.')} {'train' if training else 'eval'}"
    for name, value in found.items():
        error = (value.double() - tensors[name]).abs().max().item()
        scale = tensors[name].abs().max().item()
        key = (case["block"], column)
        worst[key] = max(worst[key], error / scale)
        assert error <= relative * scale + absolute, name

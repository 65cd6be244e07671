"""Blocks of a user's own that break the contract: each is found at build, in one line."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from yolox_attn.cli.study import main as study
from yolox_attn.cli.train import main as train
from yolox_attn.errors import InputError
from yolox_attn.exp import NanoExp
from yolox_attn.models import place
from yolox_attn.models.contract import check_blocks

HEAD = """
import torch
from torch import nn
from yolox_attn.exp import NanoExp

class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))
        {build}

    def forward(self, x):
        {forward}

class Exp(NanoExp):
    def __init__(self):
        super().__init__()
        self.num_classes = 5
        self.input_size = self.test_size = (96, 96)
        self.random_size = (2, 3)
        self.attention = {attention}
        self.attention_levels = ("dark4",)
        {init}
"""
# What breaks -> the lines that do it, what is said; dark4 of a nano has 128 channels, stride 16.
BROKEN: dict[str, tuple[dict[str, str], str]] = {
    "channels": (
        {"forward": "return x[:, :64]"},
        "my:Block at dark4 returned (1, 64, 4, 4), needs (1, 128, 4, 4)",
    ),
    "stride": (
        {"forward": "return x[:, :, ::2, ::2]"},
        "returned (1, 128, 2, 2), needs (1, 128, 4, 4)",
    ),
    "batch": ({"forward": "return x[0]"}, "returned (128, 4, 4), needs (1, 128, 4, 4)"),
    "dtype": ({"forward": "return x.half()"}, "returned float16 for float32"),
    "none": ({"forward": "self.out = x"}, "returned NoneType, needs a tensor of (1, 128, 4, 4)"),
    "tuple": ({"forward": "return x, self.scale"}, "returned tuple, needs a tensor"),
    "fixed size": (
        {"build": "self.norm = nn.LayerNorm((6, 6))", "forward": "return self.norm(x)"},
        "fails on a map of (1, 128, 4, 4): RuntimeError: Given normalized_shape=[6, 6]",
    ),
    "in place": ({"forward": "return x.mul_(2)"}, "changes its input in place"),
    "not finite": ({"forward": "return x / 0"}, "returned values that are not finite"),
    "lazy": (
        {"build": "self.conv = nn.LazyConv2d(channels, 1)", "forward": "return self.conv(x)"},
        "has a lazy parameter, conv.weight",
    ),
    "made in forward": (
        {"forward": "self.late = nn.Linear(2, 2); return x * self.scale"},
        "makes late.bias in forward: it would not be trained",
    ),
    "other in training": (
        {"forward": "return x[:, :, 1:] if self.training else x * self.scale"},
        "in training returned (2, 128, 3, 4), needs (2, 128, 4, 4)",
    ),
    "no gradient": (
        {"forward": "return x.detach() * self.scale"},
        "gives its input no gradient: the backbone below would not learn through it",
    ),
    "unused": (
        {"build": "self.idle = nn.Linear(2, 2)", "forward": "return x * self.scale"},
        "does not use idle.weight: it would not be trained",
    ),
    "in place in training": (
        {"forward": "y = x.sigmoid(); z = y * self.scale; y.add_(1); return z + y * y"},
        "fails in a training step on a map of (2, 128, 4, 4): RuntimeError: one of the variables",
    ),
    "odd sizes": (
        {
            "forward": "return nn.functional.pixel_shuffle(nn.functional.pixel_unshuffle(x, 2), 2)",
            "init": "self.attention_levels = ('dark5',)",
        },
        "fails on a map of (1, 256, 3, 3)",
    ),
    "exits": ({"forward": "raise SystemExit(0)"}, "fails on a map of (1, 128, 4, 4): SystemExit"),
    "an object": ({"attention": "Block(128)"}, "is an object of Block: give the class"),
    "a wrong signature": (
        {"attention": "nn.LayerNorm", "init": "self.attention_options = {'size': 3}"},
        "cannot be built for 128 channels: TypeError",
    ),
    "fails when built": (
        {"build": "self.x = 1 / 0"},
        "cannot be built for 128 channels: ZeroDivisionError: division by zero (my.py, line 10)",
    ),
}


def write(folder: Path, lines: dict[str, str]) -> str:
    usual = {"build": "pass", "forward": "return x * self.scale", "attention": "Block", "init": ""}
    (file := folder / "my.py").write_text(HEAD.format(**usual | lines))
    return str(file)


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("init", ["published", "identity"])
def test_it_is_one_line_before_any_training(
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    how: str,
    init: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    lines, says = BROKEN[how]
    words = ["-f", write(tmp_path, lines), "--data", str(drawn), "--device", "cpu"]
    assert train([*words, "attention_init", init]) == 2
    errors = [line for line in capfd.readouterr().err.splitlines() if "INFO" not in line]
    assert len(errors) == 1, errors
    assert errors[0].startswith("error: attention")
    assert says in errors[0]
    assert not Path("YOLOX_outputs").exists()


def test_a_study_refuses_such_a_variant(
    drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "base.py"
    base.write_text(HEAD.format(build="pass", forward="return x", attention="'none'", init=""))
    own = write(tmp_path, {"forward": "return None"})
    words = ["plan", str(tmp_path / "s"), "--baseline", str(base), "--variants", own]
    assert study([*words, "--data", str(drawn), "--no-probe"]) == 2
    assert "my:Block at dark4 returned NoneType" in capsys.readouterr().err
    assert not (tmp_path / "s").exists()


def test_one_module_at_two_levels_is_refused() -> None:
    shared = nn.Conv2d(8, 8, 1)
    blocks = nn.ModuleDict({"dark3": shared, "dark4": shared})
    with pytest.raises(InputError, match="at dark4 is the module that stands at dark3: build one"):
        check_blocks(
            blocks,
            place(lambda _: shared, levels=("dark3", "dark4")),
            {"dark3": 8, "dark4": 8},
            [(64, 64)],
        )


class Drawing(nn.Module):
    """Draws, counts and normalises: what a probe could leave changed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        noise = torch.rand(1) + random.random() + np.random.rand()  # noqa: NPY002
        result: Tensor = self.norm(x) + float(noise)
        return result


def small(**settings: Any) -> NanoExp:
    exp = NanoExp()
    exp.num_classes, exp.input_size, exp.test_size, exp.random_size = 3, (96, 96), (96, 96), (2, 3)
    for key, value in settings.items():
        setattr(exp, key, value)
    return exp


def test_the_probe_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def built(*, probed: bool) -> tuple[dict[str, Tensor], tuple[Any, ...]]:
        with monkeypatch.context() as patch:
            if not probed:
                patch.setattr("yolox_attn.exp.base.check_blocks", lambda *_: None)
            random.seed(1)
            np.random.seed(1)  # noqa: NPY002
            torch.manual_seed(1)
            model = small(attention=Drawing).get_model()
        after = random.random(), float(np.random.rand()), float(torch.rand(1))  # noqa: NPY002
        assert model.training
        return model.state_dict(), after

    (with_probe, drawn_after), (without, drawn_without) = built(probed=True), built(probed=False)
    assert drawn_after == drawn_without
    assert all(torch.equal(value, without[key]) for key, value in with_probe.items())


def test_every_size_of_the_experiment_is_probed() -> None:
    class FromThree(nn.Module):
        """Works from 3 cells a side: what 96 pixels have at dark5, and 64 have not."""

        def __init__(self, channels: int) -> None:
            super().__init__()
            self.conv = nn.Conv2d(channels, channels, 3)
            self.pad = nn.ReplicationPad2d(1)

        def forward(self, x: Tensor) -> Tensor:
            return self.pad(self.conv(x))

    make: Callable[..., NanoExp] = small
    make(attention={"dark5": FromThree}, random_size=(3, 3)).get_model()
    with pytest.raises(InputError, match=r"fails on a map of \(1, 256, 2, 2\).*image of 64x64"):
        make(attention={"dark5": FromThree}).get_model()


def test_blocks_of_the_zoo_are_not_probed() -> None:
    class Broken(nn.Module):
        def forward(self, x: Tensor) -> None: ...

    blocks = nn.ModuleDict({"dark3": Broken()})
    check_blocks(blocks, place("eca", levels=("dark3",)), {"dark3": 8}, [(64, 64)])
    with pytest.raises(InputError, match=r"at dark3 returned NoneType.*\(an image of 64x64\)"):
        check_blocks(blocks, place(Broken, levels=("dark3",)), {"dark3": 8}, [(64, 64)])

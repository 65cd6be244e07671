import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from yolox_attn import cost
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.report import compare, find_runs, measure_latency
from yolox_attn.report import latency as speed

WriteRun = Callable[..., Path]


def test_a_model_is_built_again_as_the_run_had_it(write_run: WriteRun) -> None:
    exp = load_exp(None, "yolox-nano-se")
    exp.num_classes = 3
    exp.attention_options = {"ratio": 4}
    expected = exp.get_model()
    folder = write_run(
        "yolox_nano_se",
        exp_name_arg="yolox-nano-se",
        overrides=["attention_options", "{'ratio': 4}"],
        parameters=cost.parameters(expected),
    )
    model = speed.rebuild(find_runs([folder])[0].record)
    names = [(name, each.shape) for name, each in model.named_parameters()]
    assert names == [(name, each.shape) for name, each in expected.named_parameters()]
    weight = next(each for each in model.parameters() if each.dim() == 4 and each.shape[1] > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exp_file": "gone.py"}, "no Exp file gone.py"),
        ({"exp_name_arg": "yolox-huge"}, "-n yolox-huge"),
        ({"exp_name_arg": "yolox-nano", "parameters": 1234567}, "now builds 8.* had 1,234,567"),
        ({"exp_name_arg": "yolox-nano", "config": {"num_classes": 99}}, "now builds 9"),
    ],
)
def test_what_cannot_be_built_again_says_why(
    write_run: WriteRun, changes: dict[str, object], message: str
) -> None:
    record = find_runs([write_run("yolox_s", **changes)])[0].record
    with pytest.raises(InputError, match=message):
        speed.rebuild(record)


def test_each_variant_gets_its_latency_or_a_note(
    write_run: WriteRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = find_runs([write_run(name) for name in ("yolox_s", "yolox_s_se", "yolox_s_cam")])
    built: list[str] = []

    def rebuild(record: object) -> nn.Module:
        built.append(record.name)  # type: ignore[attr-defined]
        if built[-1] == "yolox_s_se":
            raise InputError("se.py is gone")
        return nn.Conv2d(3, 1, 1)

    monkeypatch.setattr(speed, "rebuild", rebuild)
    before = compare(runs)
    after = measure_latency(before, runs, device=torch.device("cpu"), repeats=2)
    assert built == ["yolox_s", "yolox_s_se", "yolox_s_cam"]
    assert [each.latency is not None for each in after.variants] == [True, False, True]
    assert "yolox_s_se: latency not measured: se.py is gone." in after.notes
    assert "median of 2 passes" in after.notes[-1]
    assert "320x320" in after.notes[-1]
    stripped = [dataclasses.replace(each, latency=None) for each in after.variants]
    assert tuple(stripped) == before.variants


def test_a_users_model_that_fails_costs_only_its_own_latency(
    write_run: WriteRun, tmp_path: Path
) -> None:
    exp_file = tmp_path / "own.py"
    exp_file.write_text(
        "from yolox_attn.exp import AttentionExp\n"
        "class Exp(AttentionExp):\n"
        "    def get_model(self):\n"
        "        raise KeyError('gamma')\n"
    )
    exp = load_exp(None, "yolox-nano")
    exp.num_classes = 3
    parameters = cost.parameters(exp.get_model())
    nano = {"exp_name_arg": "yolox-nano", "parameters": parameters}
    folders = [write_run("yolox_s", **nano), write_run("yolox_s_own", exp_file=str(exp_file))]
    runs = find_runs(folders)
    found = measure_latency(compare(runs), runs, device=torch.device("cpu"), repeats=2)
    assert [each.latency is not None for each in found.variants] == [True, False]
    assert any("cannot be built: KeyError: 'gamma'" in note for note in found.notes)


def test_no_word_of_latency_where_none_could_be_measured(write_run: WriteRun) -> None:
    runs = find_runs([write_run(name, exp_file="gone.py") for name in ("yolox_s", "yolox_s_se")])
    found = measure_latency(compare(runs), runs, device=torch.device("cpu"), repeats=2)
    assert sum("gone.py" in note for note in found.notes) == 2
    assert not any(note.startswith("Latency:") for note in found.notes)


def test_detections_from_elsewhere_have_no_model_to_time(write_run: WriteRun) -> None:
    runs = find_runs([write_run(name) for name in ("yolox_s", "yolox_s_se")])
    foreign = dataclasses.replace(compare(runs), test_size=None)
    with pytest.raises(InputError, match="come without a model"):
        measure_latency(foreign, runs, device=torch.device("cpu"), repeats=2)

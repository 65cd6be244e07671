from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from yolox_attn import cost
from yolox_attn.core.describe import describe_config
from yolox_attn.errors import InputError
from yolox_attn.exp import load_exp
from yolox_attn.report import Comparison, build_comparison, find_runs, measure_latency
from yolox_attn.report.latency import rebuild
from yolox_attn.runs import file_hash

WriteRun = Callable[..., Path]
FAILING = """
from yolox_attn.exp import AttentionExp
class Exp(AttentionExp):
    def get_model(self):
        raise KeyError('gamma')
"""


def timed(folders: list[Path]) -> Comparison:
    runs = find_runs(folders)
    return measure_latency(build_comparison(runs), runs, device=torch.device("cpu"), repeats=2)


def test_a_model_is_built_again_as_the_run_had_it(write_run: WriteRun) -> None:
    exp = load_exp(None, "yolox-nano-se")
    exp.num_classes = 3
    exp.attention_options = {"ratio": 4}
    expected = exp.get_model()
    folder = write_run(
        "yolox_nano_se",
        exp_name_arg="yolox-nano-se",
        config=describe_config(exp),
        parameters=cost.parameters(expected),
    )
    model = rebuild(find_runs([folder])[0].record)
    names = [(name, each.shape) for name, each in model.named_parameters()]
    assert names == [(name, each.shape) for name, each in expected.named_parameters()]
    weight = next(each for each in model.parameters() if each.dim() == 4 and each.shape[1] > 1)
    assert weight.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"exp_file": "gone.py"}, "the run's Exp file gone.py is gone"),
        ({"exp_name_arg": "yolox-huge"}, "-n yolox-huge"),
        ({"exp_name_arg": "yolox-nano", "parameters": 1234567}, "now builds 8.* had 1,234,567"),
        ({"exp_name_arg": "yolox-nano", "config": {"num_classes": 99}}, "now builds 8.* had 8,000"),
    ],
)
def test_what_cannot_be_built_again_says_why(
    write_run: WriteRun, changes: dict[str, object], message: str
) -> None:
    record = find_runs([write_run("yolox_s", **changes)])[0].record
    with pytest.raises(InputError, match=message):
        rebuild(record)


def test_each_variant_gets_its_latency_or_a_note(write_run: WriteRun, tmp_path: Path) -> None:
    exp_file = tmp_path / "own.py"
    exp_file.write_text(FAILING)
    exp = load_exp(None, "yolox-s")
    exp.num_classes = 3
    nano = {"parameters": cost.parameters(exp.get_model())}
    nano["memory_format"] = "contiguous"
    folders = [write_run("yolox_s", **nano), write_run("yolox_s_se", exp_file="gone.py")]
    own = {"exp_file": str(exp_file), "exp_sha256": file_hash(exp_file)}
    folders.append(write_run("yolox_s_own", **own, config={"attention": "none"}))
    before, after = build_comparison(find_runs(folders)), timed(folders)
    assert [each.latency is not None for each in after.variants] == [True, False, False]
    assert tuple(replace(each, latency=None) for each in after.variants) == before.variants
    gone, failing, latency = after.notes[len(before.notes) :]
    assert gone.startswith("yolox_s_se: latency not measured: the run's Exp file gone.py is gone")
    assert failing == (
        "yolox_s_own: latency not measured, its model cannot be built: KeyError: 'gamma'."
    )
    assert "median of 2 passes" in latency
    assert "320x320" in latency


def test_no_word_of_latency_where_none_could_be_measured(write_run: WriteRun) -> None:
    notes = timed([write_run(name, exp_file="gone.py") for name in ("yolox_s", "yolox_s_se")]).notes
    assert sum("gone.py" in note for note in notes) == 2
    assert not any(note.startswith("Latency:") for note in notes)


def test_external_detections_have_no_model_to_time(write_run: WriteRun) -> None:
    runs = find_runs([write_run(name) for name in ("yolox_s", "yolox_s_se")])
    external = replace(build_comparison(runs), test_size=None)
    with pytest.raises(InputError, match="come without a model"):
        measure_latency(external, runs, device=torch.device("cpu"), repeats=2)

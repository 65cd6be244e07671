from collections.abc import Callable
from pathlib import Path

import pytest

from yolox_attn import cost
from yolox_attn.cli.compare import main
from yolox_attn.exp import load_exp
from yolox_attn.report import read_comparison

WriteRun = Callable[..., Path]


@pytest.fixture
def runs(write_run: WriteRun, tmp_path: Path) -> list[str]:
    for seed, (base, cam) in enumerate([(0.40, 0.42), (0.41, 0.45)]):
        write_run("yolox_s", seed, base)
        write_run("yolox_s_cam", seed, cam)
    return [str(tmp_path / "yolox_s_cam"), str(tmp_path / "yolox_s")]


def test_the_table_goes_to_stdout(runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*runs, "--no-latency"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[2].split()[:7] == ["yolox_s", "2", "40.50", "±", "0.71", "50.0", "±"]
    assert lines[3].split()[:6] == ["yolox_s_cam", "2", "43.50", "±", "2.12", "+3.00"]
    assert "latency" not in lines[0]


def test_files_are_written_only_where_asked(
    runs: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(tmp_path.rglob("*"))
    assert main([*runs, "--no-latency"]) == 0
    assert set(tmp_path.rglob("*")) == before
    assert main([*runs, "--no-latency", "-o", "out"]) == 0
    found = read_comparison(tmp_path / "out" / "comparison.json")
    assert found.variants[1].mean["AP"] == pytest.approx(0.435)
    assert sorted(path.suffix for path in (tmp_path / "out").iterdir()) == [".csv", ".json", ".md"]
    assert "comparison.md" in capsys.readouterr().err


def test_another_baseline_turns_the_sign(
    runs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*runs, "--no-latency", "--baseline", "yolox_s_cam"]) == 0
    assert "-3.00" in capsys.readouterr().out.splitlines()[3]


def test_latency_of_the_models_as_trained(
    write_run: WriteRun, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = []
    for name in ("yolox_nano", "yolox_nano_se"):
        exp = load_exp(None, name.replace("_", "-"))
        exp.num_classes = 3
        block = name.removeprefix("yolox_nano").strip("_")
        attention = {"dark3": {"block": block}} if block else {}
        parameters = cost.parameters(exp.get_model())
        changes = {
            "attention": attention,
            "parameters": parameters,
            "config": {"test_size": [64, 96]},
        }
        folders.append(str(write_run(name, **changes)))
    assert main([*folders, "--repeats", "2", "--device", "cpu"]) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0].endswith("latency (ms)")
    assert out.splitlines()[2].split()[-2] != "-"
    assert "one image of 64x96" in out
    assert "not measured" not in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{tmp}/nowhere"], "nowhere: no such folder"),
        (["{runs}", "--baseline", "x", "--no-latency"], "--baseline x: no such variant"),
        (["{runs}", "--repeats", "1"], "--repeats 1: at least 2"),
        (["{runs}", "--device", "tpu"], "unknown device 'tpu'"),
        (["{tmp}/yolox_s/seed0", "{tmp}/yolox_s"], "leave one out"),
    ],
)
def test_mistakes_are_told_in_one_line(
    runs: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    message: str,
) -> None:
    argv: list[str] = []
    for word in words:
        argv += runs if word == "{runs}" else [word.format(tmp=tmp_path)]
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1

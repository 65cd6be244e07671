"""The export command: what it writes does what the run does, and anything else is not written."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from short_run import short_run
from torch import Tensor

from yolox_attn import load_detector
from yolox_attn.cli.detect import main as detect
from yolox_attn.cli.eval import main as evaluate
from yolox_attn.cli.export import main
from yolox_attn.export import build
from yolox_attn.models.exported import ExportedModel
from yolox_attn.names import FORMATS
from yolox_attn.runs import read_record

pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def run(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return short_run(drawn, tmp_path_factory.mktemp("export"))


def metrics_of(folder: Path) -> dict[str, float]:
    return json.loads((folder / "evaluation.json").read_text())["metrics"]


def test_a_run_leaves_python_with_the_same_ap(
    run: Path, drawn: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export, eval and detect by the file alone, and the record of what was compared."""
    assert main(["-c", str(run), "--images", "4"]) == 0
    said = capsys.readouterr().out
    file = run / "best_ckpt.onnx"
    assert "opset " in said
    assert "outputs: equal on 6 inputs of 64x64 and 96x64: from float64 torch departs by " in said
    assert f"written: {file}, {file}.json" in said
    assert [each.name for each in run.iterdir() if each.name.startswith(".best")] == []
    found = json.loads((run / "best_ckpt.onnx.json").read_text())
    assert found["parity"]["exported"]["boxes"] <= found["parity"]["allowed"]["boxes"]
    assert found["ap"]["torch"] == pytest.approx(found["ap"]["exported"], abs=1e-6)
    assert found["ap"]["images"] == 5

    record, card = read_record(run), ExportedModel(file).card
    assert card.names == ("disc", "ring", "square", "grate", "star")
    assert card.nms_iou == record.config["nmsthre"]
    sources = str(ROOT).encode()
    assert sources not in file.read_bytes()

    assert evaluate(["-c", str(run), "--device", "cpu"]) == 0
    assert evaluate(["-c", str(file), "--device", "cpu"]) == 0
    theirs, ours = metrics_of(run / "eval_val"), metrics_of(run / "eval_val_best_ckpt.onnx")
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    capsys.readouterr()
    assert evaluate(["-c", str(file), "--device", "cpu", "--fuse"]) == 2
    assert "is exported, how it computes is fixed in it" in capsys.readouterr().err

    moved = Path(shutil.copy(file, tmp_path / "moved.onnx"))
    pictures = sorted((drawn / "val2017").iterdir())
    network, exported = (
        load_detector(each, device="cpu", confidence=0.01) for each in (run, moved)
    )
    for one, other in zip(network([*pictures]), exported([*pictures]), strict=True):
        np.testing.assert_allclose(one.scores, other.scores, atol=1e-5)
        np.testing.assert_allclose(one.xyxy, other.xyxy, atol=1e-2)
    words = [str(drawn / "val2017"), "-c", str(moved), "-o", str(tmp_path / "seen")]
    assert detect([*words, "--device", "cpu", "--no-draw"]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("form", ["onnx", "openvino"])
def test_nms_and_half_precision(
    run: Path, drawn: Path, tmp_path: Path, form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip(form)
    file = tmp_path / f"small{FORMATS[form]}"
    words = ["-c", str(run), "--format", form, "-o", str(file), "--nms", "--images", "2"]
    assert main([*words, "--conf", "0.0001"]) == 0
    assert re.search(r"NMS inside and YOLOX's: 0 of \d+ boxes", capsys.readouterr().out)
    pictures = sorted((drawn / "val2017").iterdir())
    network, exported = (
        load_detector(each, device="cpu", confidence=0.0001) for each in (run, file)
    )
    for one, other in zip(network([*pictures]), exported([*pictures]), strict=True):
        # Scores of a network that has hardly learnt tie: any order, and now and then another box.
        near = np.abs(one.xyxy[:, None] - other.xyxy).max(axis=2) < 1e-2
        near &= one.class_ids[:, None] == other.class_ids
        near &= np.abs(one.scores[:, None] - other.scores) < 1e-5
        assert near.any(axis=0).mean() > 0.95
        assert near.any(axis=1).mean() > 0.95
    size = sum(each.stat().st_size for each in tmp_path.glob("small*"))
    capsys.readouterr()
    assert main([*words, "--half"]) == 0
    said = capsys.readouterr().out
    assert "outputs" not in said
    assert "AP on 5 validation images, from confidence " in said
    where = tmp_path / "judged"
    assert evaluate([str(run), "-c", str(file), "--output", str(where), "--device", "cpu"]) == 0
    judged = json.loads((where / "evaluation.json").read_text())
    assert judged["confidence"] == read_record(run).config["test_conf"]
    words = [str(run), "-c", str(file), "--output", str(where), "--device", "cpu"]
    assert evaluate([*words, "--nms", "0.3"]) == 2
    assert "holds NMS at 0.65: export it again for 0.3" in capsys.readouterr().err
    assert sum(each.stat().st_size for each in tmp_path.glob("small*")) < 0.8 * size


def test_a_file_that_departs_is_not_written(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tracing is left out: the program says one thing and the network another."""

    def stored(program: object, request: build.Request, file: Path, *, nms: bool) -> int:
        file.touch()
        return 20

    def off(images: Tensor) -> Tensor:
        anchors = sum((images.shape[2] // step) * (images.shape[3] // step) for step in (8, 16, 32))
        return images.new_zeros(len(images), anchors, 10)

    monkeypatch.setattr(build, "trace", lambda model, half: None)
    monkeypatch.setattr(build, "write_form", stored)
    monkeypatch.setattr(build, "measured_ap", lambda *given: None)
    monkeypatch.setattr(build, "difference", lambda *given: None)
    monkeypatch.setattr(build, "first_departing", lambda program, images: "conv2d_3 (by up to 1)")
    monkeypatch.setattr(build, "ExportedModel", lambda file: off)
    file = tmp_path / "off.onnx"
    assert main(["-c", str(run), "-o", str(file)]) == 1
    captured = capsys.readouterr()
    assert "outputs: NOT EQUAL on " in captured.out
    assert "error: not exported: its outputs depart from the network's; first at conv2d_3" in (
        captured.err
    )
    assert [*tmp_path.iterdir()] == []


def test_bad_requests_are_one_line_each(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    loose = tmp_path / "loose.pth"
    loose.touch()
    exported, folder = tmp_path / "a.onnx", tmp_path / "folder.onnx"
    exported.touch()
    folder.mkdir()
    for words, said in (
        ([], "which run? give RUN_FOLDER"),
        (["-c", str(tmp_path / "gone")], "error: no checkpoint "),
        (["-c", str(loose)], "it lies in no run folder; give its experiment, by -f FILE or -n"),
        (["-c", str(tmp_path)], "not a run folder, it has no run.json"),
        (["-c", str(run), "--images", "1"], "--images 1: at least 2"),
        (["-c", str(run), "-o", "x.xml"], "a file of --format onnx ends with .onnx"),
        (["-c", str(run), "--conf", "2"], "--conf 2.0: must be from 0 to 1"),
        (["-c", str(run), "-o", str(folder)], "is a folder; give a file in it"),
        (["-c", str(run), "-o", str(loose / "a.onnx")], "cannot make its folder"),
        (["-n", "yolox-nano", "-c", str(exported)], "is exported already; -c is a run or a check"),
    ):
        assert main(words) == 2, words
        captured = capsys.readouterr()
        assert said in captured.err
        assert captured.err.count("\n") == 1
        assert captured.out == ""
    monkeypatch.setattr("yolox_attn.export.openvino.find_spec", lambda name: None)
    assert main(["-c", str(run), "--format", "openvino"]) == 2
    assert "--format openvino needs openvino; fix it with: " in capsys.readouterr().err

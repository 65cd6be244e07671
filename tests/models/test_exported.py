"""Exported files in the network's place: what they say of themselves, and what is refused."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from exported_card import CARD

from yolox_attn.errors import InputError
from yolox_attn.models.exported import ExportedModel, is_exported, rows_of

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

TWICE = """
<ir_version: 10, opset_import: ["" : 20]>
twice (float[n, 3, h, w] images) => (float[n, 3, h, w] outputs) { outputs = Add (images, images) }
"""


def written(file: Path, entry: str | None) -> Path:
    model = onnx.parser.parse_model(TWICE)
    if entry is not None:
        onnx.helper.set_model_props(model, {"yolox_attn": entry})
    onnx.save_model(model, file)
    return file


def test_it_runs_and_says_what_it_is(tmp_path: Path) -> None:
    file = written(tmp_path / "twice.onnx", json.dumps(asdict(CARD)))
    model = ExportedModel(file)
    assert model.card == CARD
    images = torch.rand(2, 3, 32, 64)
    assert np.array_equal(model.session(images.numpy()), 2 * images.numpy())
    with pytest.raises(InputError, match=r"its outputs \(2, 3, 32, 64\) are not its card's"):
        model(images)  # a detector of two classes gives (N, anchors, 7)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        (None, "not written by the export command, it has no entry yolox_attn"),
        ("{", "its entry yolox_attn is no JSON"),
        ("{}", "not what the export command writes: Object missing required field `experiment`"),
        (json.dumps({**asdict(CARD), "more": 1}), "unknown field more"),
        (json.dumps({**asdict(CARD), "names": 3}), "Expected `array`, got `int`"),
        (json.dumps({**asdict(CARD), "names": []}), "names: at least one class"),
        (json.dumps({**asdict(CARD), "image_size": [0, 64]}), "multiples of 32 from 32 to 8192"),
        (json.dumps({**asdict(CARD), "image_size": [64, 9600]}), "multiples of 32 from 32 to 8192"),
        (json.dumps({**asdict(CARD), "nms_iou": 9}), "nms_iou 9"),
        (json.dumps({**asdict(CARD), "confidence": -0.1}), "confidence -0.1: from 0 to 1"),
        ("[" * 100_000, "its entry yolox_attn is no JSON"),
    ],
)
def test_files_of_other_programs_are_refused(tmp_path: Path, entry: str | None, said: str) -> None:
    file = written(tmp_path / "other.onnx", entry)
    with pytest.raises(InputError) as error:
        ExportedModel(file)
    assert str(file) in str(error.value)
    assert said in str(error.value)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    for name in ("broken.onnx", "gone.onnx"):
        file = tmp_path / name
        if name == "broken.onnx":
            file.write_bytes(b"\x08nothing of the kind")
        with pytest.raises(InputError, match=name):
            ExportedModel(file)


def test_a_broken_openvino_file_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    file = tmp_path / "broken.xml"
    file.write_text("<net></net>")
    with pytest.raises(InputError, match=r"its weights broken\.bin are missing next to it"):
        ExportedModel(file)
    file.with_suffix(".bin").touch()
    with pytest.raises(InputError, match="no OpenVINO file that can be run: ") as error:
        ExportedModel(file)
    assert "\n" not in str(error.value)


def test_thresholds_of_nms_inside_are_fixed() -> None:
    inside = replace(CARD, nms=True)
    assert inside.thresholds(Path("a"), None, None) == (0.1, 0.65)
    assert inside.thresholds(Path("a"), 0.2, 0.65) == (0.2, 0.65)
    with pytest.raises(InputError, match=r"holds NMS at 0\.65: export it again for 0\.5"):
        inside.thresholds(Path("a"), None, 0.5)
    with pytest.raises(InputError, match=r"holds NMS from confidence 0\.1 on: export it again"):
        inside.thresholds(Path("a"), 0.05, None)
    assert CARD.thresholds(Path("a"), 0.05, 0.5) == (0.05, 0.5)


def test_sizes_between_the_strides_are_refused(tmp_path: Path) -> None:
    model = ExportedModel(written(tmp_path / "twice.onnx", json.dumps(asdict(CARD))))
    with pytest.raises(InputError, match="images of 33x64: both must be multiples of 32"):
        model(torch.rand(1, 3, 33, 64))


def test_a_device_that_the_runtime_does_not_know_is_refused(tmp_path: Path) -> None:
    file = written(tmp_path / "twice.onnx", json.dumps(asdict(CARD)))
    with pytest.raises(InputError, match="onnxruntime does not run on mps here"):
        ExportedModel(file, torch.device("mps"))


def test_without_the_runtime_the_command_that_installs_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("yolox_attn.models.exported.find_spec", lambda name: None)
    for name, package in (("a.onnx", "onnxruntime"), ("a.xml", "openvino")):
        (tmp_path / name).touch()
        with pytest.raises(InputError, match=f"needs {package}; fix it with: "):
            ExportedModel(tmp_path / name)


def test_rows_of_an_image() -> None:
    rows = torch.tensor([[0, 1, 2, 3, 4, 0.9, 5], [1, 6, 7, 8, 9, 0.8, 2], [0, 1, 1, 2, 2, 0.3, 0]])
    assert rows_of(rows, 1).tolist() == [pytest.approx([6, 7, 8, 9, 0.8, 1, 2])]
    assert rows_of(rows, 0)[:, 4:].tolist() == [
        pytest.approx([0.9, 1, 5]),
        pytest.approx([0.3, 1, 0]),
    ]
    assert rows_of(rows, 2).shape == (0, 7)


def test_files_are_told_by_their_names() -> None:
    assert [is_exported(Path(name)) for name in ("a.ONNX", "a.xml", "a.pth", "onnx")] == [
        True,
        True,
        False,
        False,
    ]

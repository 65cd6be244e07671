"""NMS inside an ONNX file keeps what YOLOX's own keeps; what cannot be exported says why."""

from dataclasses import replace

import pytest
import torch
from exported_card import CARD
from torch import Tensor, nn

from yolox_attn.errors import InputError
from yolox_attn.evaluators.predict import Rules, keep_best
from yolox_attn.export.onnx import HalfPrecision, nms_text, trace
from yolox_attn.models.exported import rows_of

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
SHAPES = ((1, 50), (3, 400), (2, 1), (4, 0))


def nms(outputs: Tensor, confidence: float, overlap: float) -> Tensor:
    classes = tuple("abcdefgh"[: outputs.shape[2] - 5])
    card = replace(CARD, names=classes, confidence=confidence, nms_iou=overlap)
    model = onnx.parser.parse_model(nms_text(10, 20, card))
    onnx.checker.check_model(model)
    session = runtime.InferenceSession(model.SerializeToString())
    return torch.from_numpy(session.run(None, {"outputs": outputs.numpy()})[0])


def drawn_outputs(batch: int, anchors: int, classes: int) -> Tensor:
    outputs = torch.rand(
        batch, anchors, 5 + classes, generator=torch.Generator().manual_seed(anchors)
    )
    outputs[..., :2] *= 200
    outputs[..., 2:4] = 60 * outputs[..., 2:4] + 5
    return outputs


def best_first(rows: Tensor) -> Tensor:
    score = rows[:, 4] * rows[:, 5]
    rows = torch.cat((rows[:, :4], score[:, None], torch.ones_like(score)[:, None], rows[:, 6:]), 1)
    return rows[torch.argsort(-score, stable=True)]


@pytest.mark.parametrize("shape", SHAPES[:3], ids=str)
@pytest.mark.parametrize(("confidence", "overlap"), [(0.3, 0.5), (0.0, 0.65), (0.9, 0.1)])
def test_nms_keeps_what_yolox_keeps(
    shape: tuple[int, int], confidence: float, overlap: float
) -> None:
    outputs = drawn_outputs(*shape, classes=3)
    if shape[1] > 10:
        outputs[0, 3, 2] = torch.inf  # a young network's exponential: never kept
        outputs[0, 3, 4:] = 1
        outputs[0, 5:7, 5:] = 0.75  # equal classes: the first counts
    detections = nms(outputs, confidence, overlap)
    kept = keep_best(outputs, Rules((64, 64), 3, confidence, overlap))
    for image, rows in enumerate(kept):
        mine, theirs = rows_of(detections, image), best_first(rows)
        assert mine.shape == theirs.shape
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)
    assert torch.equal(detections[:, 0], detections[:, 0].sort().values)


def test_a_score_at_the_threshold_is_kept_and_one_below_it_is_not() -> None:
    outputs = drawn_outputs(1, 2, classes=1)
    outputs[0, :, 4] = 1
    outputs[0, :, 5] = torch.tensor([0.25, 0.25]).nextafter(torch.tensor([1.0, 0.0]))
    assert len(nms(outputs, 0.25, 0.9)) == 1
    outputs[0, :, 5] = 0.25
    outputs[0, 1, :2] += 100
    assert len(nms(outputs, 0.25, 0.9)) == 2


def test_for_a_runtime_that_counts_the_threshold_itself_it_is_the_next_number() -> None:
    card = replace(CARD, nms_iou=0.5, confidence=0.0)
    assert "overlap = {5.0e-01}" in nms_text(10, 20, card)
    assert "overlap = {5.0000006e-01}" in nms_text(10, 20, card, inclusive=True)
    assert "above = {-1.0e-06}" in nms_text(10, 20, card)


def test_nothing_at_all_is_no_row() -> None:
    assert nms(drawn_outputs(2, 30, classes=2), 1.0, 0.5).shape == (0, 7)


def test_half_precision_takes_and_gives_float32() -> None:
    model = HalfPrecision(nn.Conv2d(3, 4, 1))
    y = model(torch.rand(1, 3, 8, 8))
    assert y.dtype == torch.float32
    assert next(model.parameters()).dtype == torch.float16


class Unexportable(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.sum()) > 0 else x  # a branch on the numbers


def test_a_network_that_cannot_be_exported_is_one_line() -> None:
    with pytest.raises(InputError) as error:
        trace(Unexportable())
    assert str(error.value).startswith("this network cannot be exported: ")
    assert "\n" not in str(error.value)


def test_without_the_packages_the_command_that_installs_them_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("yolox_attn.export.onnx.find_spec", lambda name: None)
    with pytest.raises(InputError, match="export needs onnx, onnxscript, onnxruntime; fix it with"):
        trace(nn.Conv2d(3, 4, 1))

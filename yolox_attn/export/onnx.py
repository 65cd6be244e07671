"""A detector as an ONNX file: any batch, any size, NMS inside if it is wanted."""

import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from yolox_attn.errors import InputError
from yolox_attn.models.exported import ENTRY, Card
from yolox_attn.requirements import fix

INPUT, OUTPUT, DETECTIONS = "images", "outputs", "detections"
EXAMPLE = (2, 3, 96, 128)  # a batch of 1 would be taken for the only one, and so would a square
NEEDED = {"onnx": "onnx", "onnxscript": "onnxscript", "onnxruntime": "onnxruntime"}
DESCRIPTION = (
    "YOLOX detector. images: (N, 3, H, W) float32, BGR from 0 to 255, H and W multiples of 32, the "
    "picture scaled to fit at the top left, the rest 114."
)

# What YOLOX's postprocess does, for the batch: each anchor stands for its best class, and a box
# gives way to a better one of the same class and image. ONNX keeps what is above a threshold and
# YOLOX what is at it, so it is the next number below. Boxes without bounds are never kept.
NMS = """
<ir_version: {ir}, opset_import: ["" : {opset}]>
nms (float[batch, anchors, columns] outputs) => (float[boxes, 7] detections)
<int64[4] parts = {{2, 2, 1, {classes}}}, float half = {{0.5}}, float[2] off_on = {{-1.0, 0.0}},
 int64[1] last = {{2}}, int64[1] second = {{1}}, int64 depth = {{{classes}}}, int64[1] one = {{1}},
 float largest = {{3e38}}, float never = {{-1.0}}, float two = {{2.0}},
 float[1] overlap = {{{overlap}}}, float[1] above = {{{above}}},
 int64[2] image_and_anchor = {{0, 2}}, int64[1] image_column = {{0}}, int64[1] class_column = {{1}}>
{{
  centre, size, objectness, classes = Split <axis = 2> (outputs, parts)
  reach = Mul (size, half)
  upper = Sub (centre, reach)
  lower = Add (centre, reach)
  corners = Concat <axis = 2> (upper, lower)
  extent_all = Abs (corners)
  extent = ReduceMax <keepdims = 1> (extent_all, last)
  bounded = Less (extent, largest)
  best = ReduceMax <keepdims = 1> (classes, last)
  score_any = Mul (objectness, best)
  score = Where (bounded, score_any, never)
  places = ArgMax <axis = 2, keepdims = 0> (classes)
  others = OneHot <axis = 1> (places, depth, off_on)
  score_row = Transpose <perm = [0, 2, 1]> (score)
  of_best = Greater (others, never)
  scores = Where (of_best, score_row, never)
  shape = Shape (score)
  most = Gather (shape, second)
  chosen = NonMaxSuppression (corners, scores, most, overlap, above)
  where = Gather <axis = 1> (chosen, image_and_anchor)
  image_number = Gather <axis = 1> (chosen, image_column)
  class_number = Gather <axis = 1> (chosen, class_column)
  image = Cast <to = 1> (image_number)
  class = Cast <to = 1> (class_number)
  box = GatherND (corners, where)
  value = GatherND (score, where)
  rows = Concat <axis = 1> (image, box, value, class)
  before = Mul (image, two)
  rank_column = Sub (value, before)
  rank = Squeeze (rank_column, one)
  count_all = Shape (rank)
  ranked, order = TopK <axis = 0> (rank, count_all)
  detections = Gather <axis = 0> (rows, order)
}}
"""


class HalfPrecision(nn.Module):
    """A network of float16 weights that takes and gives float32."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model.half()

    def forward(self, images: Tensor) -> Tensor:
        outputs: Tensor = self.model(images.half())
        return outputs.float()


def trace(model: nn.Module, *, half: bool = False) -> torch.onnx.ONNXProgram:
    """Return the network as an ONNX program, the same for every batch and size.

    Args:
        model: on the CPU, in float32; it is left in eval mode, and with `half` in float16.
        half: float16 weights.

    Raises:
        InputError: what the export needs is not installed, or the network cannot be exported.
    """
    missing = [package for module, package in NEEDED.items() if not find_spec(module)]
    if missing:
        raise InputError(f"export needs {', '.join(missing)}; {fix(*missing)}")
    model = model.eval()
    if half:
        model = HalfPrecision(model)
    every = torch.export.Dim.DYNAMIC
    shapes = ({0: every, 2: every, 3: every},)
    with quiet(), torch.no_grad():
        try:
            program = torch.onnx.export(
                model,
                (torch.rand(EXAMPLE) * 255,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=shapes,
                dynamo=True,
                verbose=False,
            )
        except torch.onnx.OnnxExporterError as error:
            raise InputError(f"this network cannot be exported: {_cause(error)}") from error
    if program is None:
        raise RuntimeError("torch.onnx.export returned no program")
    return program


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back what the exporter says of its own workings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def write_onnx(
    program: torch.onnx.ONNXProgram, file: Path, card: Card, *, inclusive: bool = False
) -> int:
    """Write the program, with NMS if the card says so, and return its opset.

    Args:
        program: by `trace`.
        file: to write.
        card: what it is to say of itself.
        inclusive: it is for a runtime that also drops boxes whose overlap is the threshold itself.

    Raises:
        InputError: it is above the 2 GiB that one ONNX file holds.
    """
    onnx = import_module("onnx")
    model = program.model_proto
    opset = next(int(each.version) for each in model.opset_import if each.domain == "")
    if card.nms:
        tail = onnx.parser.parse_model(nms_text(model.ir_version, opset, card, inclusive=inclusive))
        model = onnx.compose.merge_models(model, tail, io_map=[(OUTPUT, OUTPUT)])
    for node in model.graph.node:  # where in the sources it was made, with paths of this machine
        node.ClearField("metadata_props")
    onnx.helper.set_model_props(model, {ENTRY: json.dumps(asdict(card))})
    model.producer_name, model.doc_string = "yolox_attn", DESCRIPTION
    try:
        onnx.save_model(model, file)
    except ValueError as error:
        raise InputError(f"{file}: {error}") from error
    return opset


def nms_text(ir_version: int, opset: int, card: Card, *, inclusive: bool = False) -> str:
    """Return NMS by the card's thresholds as an ONNX program in its text form."""
    above = np.nextafter(np.float32(card.confidence), np.float32(-math.inf))
    if card.confidence == 0:
        above = np.float32(-1e-6)  # runtimes take the number just below 0 for 0
    overlap = np.float32(card.nms_iou)
    if inclusive:
        overlap = np.nextafter(overlap, np.float32(math.inf))
    return NMS.format(
        ir=ir_version,
        opset=opset,
        classes=len(card.names),
        overlap=_float(overlap),
        above=_float(above),
    )


def _float(value: Any) -> str:
    return np.format_float_scientific(np.float32(value), trim="0")


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0]

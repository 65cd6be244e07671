"""An exported detector in the place of the network that it was made of."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from yolox_attn.device import RUNTIME_PROVIDERS
from yolox_attn.errors import InputError
from yolox_attn.names import FORMATS
from yolox_attn.requirements import fix
from yolox_attn.runs.codec import convert

ONNX, OPENVINO = FORMATS["onnx"], FORMATS["openvino"]
ENTRY = "yolox_attn"  # of the file's metadata: the card, as JSON
STRIDE = 32  # pixels: both sides of an image are multiples of it
LARGEST = 8192  # pixels of a side
Floats: TypeAlias = NDArray[np.float32]
Session: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Card:
    """What an exported file says of itself.

    Args:
        experiment: what it was trained as; checkpoint_sha256: of the weights.
        names: of the classes, in the order of the outputs.
        image_size: (height, width) that it was evaluated at; it takes others.
        confidence, nms_iou: thresholds; built in if `nms`.
        nms: the output is rows (image, x1, y1, x2, y2, score, class), not all anchors.
        half: its weights are float16.
        version: of yolox_attn.
    """

    experiment: str
    checkpoint_sha256: str
    names: tuple[str, ...]
    image_size: tuple[int, int]
    confidence: float
    nms_iou: float
    nms: bool
    half: bool
    version: str

    def __post_init__(self) -> None:
        if not self.names:
            raise ValueError("names: at least one class")
        if any(side % STRIDE or not STRIDE <= side <= LARGEST for side in self.image_size):
            raise ValueError(
                f"image_size {self.image_size}: multiples of {STRIDE} from {STRIDE} to {LARGEST}"
            )
        for name in ("confidence", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:  # nan is not, either
                raise ValueError(f"{name} {getattr(self, name)}: from 0 to 1")

    def thresholds(
        self, file: Path, confidence: float | None, nms_iou: float | None
    ) -> tuple[float, float]:
        """Return the thresholds that hold when these are asked for; None asks for the card's.

        Raises:
            InputError: NMS inside has another overlap, or has dropped what is asked for.
        """
        overlap = self.nms_iou if nms_iou is None else nms_iou
        lowest = self.confidence if confidence is None else confidence
        if self.nms and overlap != self.nms_iou:
            raise InputError(f"{file} holds NMS at {self.nms_iou}: export it again for {overlap}")
        if self.nms and lowest < self.confidence:
            raise InputError(
                f"{file} holds NMS from confidence {self.confidence} on: export it again for less"
            )
        return lowest, overlap


def is_exported(path: Path) -> bool:
    """Tell by its name whether a file is an exported detector and not a checkpoint."""
    return path.suffix.lower() in (ONNX, OPENVINO)


class ExportedModel(nn.Module):
    """Runs an exported detector by ONNX Runtime or OpenVINO.

    Without NMS built in, outputs are YOLOX's: (N, anchors, 5 + classes). With it they are a list of
    N tensors (n, 7) as YOLOX's own `postprocess` makes them: x1, y1, x2, y2, score, 1, class.

    Args:
        file: .onnx, or OpenVINO's .xml with its .bin next to it.
        device: where it computes; images and outputs stay on the CPU.

    Shape: (N, 3, H, W), H and W multiples of 32.

    Raises:
        InputError: the file cannot be read, is of another program, or needs what is not installed.
    """

    def __init__(self, file: Path, device: torch.device | None = None) -> None:
        super().__init__()
        if not file.is_file():
            raise InputError(f"no exported detector {file}")
        open_file = _open_onnx if file.suffix.lower() == ONNX else _open_openvino
        text, self.session = open_file(file, device or torch.device("cpu"))
        self.file, self.card = file, _card(text, file)

    def forward(self, images: Tensor) -> Tensor | list[Tensor]:
        height, width = images.shape[2:]
        if height % STRIDE or width % STRIDE:
            raise InputError(f"images of {height}x{width}: both must be multiples of {STRIDE}")
        outputs = torch.from_numpy(self.session(images.float().cpu().numpy()))
        columns = (2, 7) if self.card.nms else (3, 5 + len(self.card.names))
        if (outputs.ndim, outputs.shape[-1]) != columns:
            raise InputError(f"{self.file}: its outputs {tuple(outputs.shape)} are not its card's")
        if not self.card.nms:
            return outputs
        return [rows_of(outputs, image) for image in range(len(images))]


def rows_of(detections: Tensor, image: int) -> Tensor:
    """Return the rows of an image, (M, 7) image, x1, y1, x2, y2, score, class -> (n, 7)."""
    rows = detections[detections[:, 0] == image]
    return torch.cat((rows[:, 1:6], torch.ones_like(rows[:, :1]), rows[:, 6:]), dim=1)


def _card(text: str | None, file: Path) -> Card:
    if text is None:
        raise InputError(f"{file}: not written by the export command, it has no entry {ENTRY}")
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: its entry {ENTRY} is no JSON") from error
    return convert(content, Card, str(file), "what the export command writes")


def _open_onnx(file: Path, device: torch.device) -> tuple[str | None, Session]:
    if find_spec("onnxruntime") is None:
        raise InputError(f"{file} needs onnxruntime; {fix('onnxruntime')}")
    runtime = import_module("onnxruntime")
    provider = RUNTIME_PROVIDERS.get(device.type)
    if provider not in runtime.get_available_providers():
        raise InputError(f"onnxruntime does not run on {device.type} here; --device cpu does")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors: shapes that differ from call to call are no fault
    try:
        session = runtime.InferenceSession(file, options, providers=[provider])
    except Exception as error:  # ONNX Runtime's own have no base
        raise InputError(f"{file}: no ONNX file that can be run: {error}") from error
    name = session.get_inputs()[0].name
    entry = session.get_modelmeta().custom_metadata_map.get(ENTRY)

    def run(images: Floats) -> Floats:
        output: Floats = session.run(None, {name: images})[0]
        return output

    return entry, run


def _open_openvino(file: Path, device: torch.device) -> tuple[str | None, Session]:
    if find_spec("openvino") is None:
        raise InputError(f"{file} needs openvino; {fix('openvino')}")
    if device.type != "cpu":
        raise InputError(f"OpenVINO files run on the CPU alone here, not on {device.type}")
    if not file.with_suffix(".bin").is_file():
        raise InputError(
            f"{file}: its weights {file.with_suffix('.bin').name} are missing next to it"
        )
    openvino = import_module("openvino")
    core = openvino.Core()
    # Some processors would run in bfloat16 by themselves.
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
    }
    try:
        model = core.read_model(file)
        compiled = core.compile_model(model, "CPU", settings)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise InputError(f"{file}: no OpenVINO file that can be run: {reason}") from error
    entry = model.get_rt_info([ENTRY]).astype(str) if model.has_rt_info([ENTRY]) else None

    def run(images: Floats) -> Floats:
        return np.array(compiled(images)[0], dtype=np.float32)  # its own memory is used again

    return entry, run

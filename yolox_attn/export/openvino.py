"""The ONNX file of a detector as an OpenVINO model."""

import json
from dataclasses import asdict
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from yolox_attn.errors import InputError
from yolox_attn.models.exported import ENTRY, Card
from yolox_attn.requirements import fix


def require_openvino() -> None:
    """Refuse to go on without OpenVINO.

    Raises:
        InputError: with the command that installs it.
    """
    if find_spec("openvino") is None:
        raise InputError(f"--format openvino needs openvino; {fix('openvino')}")


def write_openvino(onnx_file: Path, file: Path, card: Card) -> None:
    """Write `file` (.xml) and its .bin; weights are float16 only if the card says so.

    Raises:
        InputError: OpenVINO is not installed, or knows no such network.
    """
    require_openvino()
    openvino = import_module("openvino")
    try:
        model = openvino.convert_model(onnx_file)
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(f"OpenVINO cannot take this network: {reason}") from error
    model.set_rt_info(json.dumps(asdict(card)), [ENTRY])
    openvino.save_model(model, file, compress_to_fp16=card.half)  # its default is True

"""How a network's output becomes detections, read off the host's evaluators."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from yolox_attn.device import precision_dtype
from yolox_attn.errors import InputError


@dataclass(frozen=True)
class Rules:
    """What turns a network's output into detections."""

    image_size: tuple[int, int]  # (height, width) of the network's input
    num_classes: int
    confidence: float  # objectness times class probability below this is dropped
    nms_iou: float
    precision: torch.dtype | None = None  # of autocast; None is full precision
    decoder: Callable[..., Tensor] | None = None  # the host's hook for undecoded heads


def model_device(model: nn.Module) -> torch.device:
    """Return the device of the model's first parameter or buffer; the CPU if it has none."""
    tensors: Iterator[Tensor] = (t for part in (model.parameters(), model.buffers()) for t in part)
    first = next(tensors, None)
    return torch.device("cpu") if first is None else first.device


def rules_of(
    evaluator: Any, model: nn.Module, *, half: bool, trt_file: object, decoder: Any
) -> Rules:
    """Read an evaluator's attributes and the arguments of the host's `evaluate`.

    `half` is float16 autocast: the host's model.half() would stay for good.

    Raises:
        InputError: float16 off CUDA, or TensorRT.
    """
    if trt_file is not None:
        raise InputError("trt_file is not supported: evaluate the PyTorch model itself")
    device = model_device(model)
    return Rules(
        image_size=evaluator.img_size,
        num_classes=evaluator.num_classes,
        confidence=evaluator.confthre,
        nms_iou=evaluator.nmsthre,
        precision=precision_dtype("fp16", device) if half else evaluator.autocast_dtype,
        decoder=decoder,
    )

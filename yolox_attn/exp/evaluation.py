"""A checkpoint of an experiment, judged or timed on one device."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from loguru import logger
from torch import Tensor, nn
from yolox.utils import get_world_size, is_main_process

from yolox_attn import cost
from yolox_attn import device as devices
from yolox_attn.coco.evaluate import Metrics
from yolox_attn.core.weights import load_weights
from yolox_attn.errors import InputError
from yolox_attn.evaluators import AnyDevice, adapt_evaluator
from yolox_attn.exp.base import AttentionExp
from yolox_attn.exp.fuse import fuse
from yolox_attn.models.exported import ExportedModel, is_exported


@dataclass(frozen=True)
class Conditions:
    """Where and how; `legacy` is YOLOX's word for images normalised as before YOLOX 0.2."""

    device: torch.device
    precision: str = "fp32"
    batch_size: int = 8
    test: bool = False  # the test split, not the validation split
    legacy: bool = False
    fuse: bool = False


@dataclass(frozen=True)
class Evaluation:
    """The result; of a user's own evaluator only AP, AP50 and the summary."""

    summary: str
    metrics: Metrics  # fractions
    class_ap: Metrics
    detections: list[dict[str, Any]]  # COCO results
    timing: dict[str, float]
    images: int | None  # None of a user's own evaluator that does not say it


def evaluate_checkpoint(exp: AttentionExp, checkpoint: Path, how: Conditions) -> Evaluation:
    """Judge the checkpoint, or exported file, on the experiment's validation or test split.

    Of several processes each evaluates its share of the images with its share of the batch, and
    rank 0 gets the result; the others get an Evaluation of nothing.

    Raises:
        InputError: data or checkpoint do not fit, the checkpoint lacks weights, or the conditions
            cannot be met.
    """
    shared = get_world_size() > 1
    evaluator = adapt_evaluator(
        exp.get_evaluator(how.batch_size, shared, testdev=how.test, legacy=how.legacy)
    )
    _set_precision(evaluator, how)
    evaluator.per_class_AP = True
    if is_exported(checkpoint):
        model: nn.Module = _exported(exp, checkpoint, how)
    else:
        model = load_model(exp, checkpoint)
    if how.fuse:
        model = _fuse(model, _first_images(evaluator.dataloader.dataset))
    ap, ap50, summary = evaluator.evaluate(placed(model, exp, how.device), shared)
    return Evaluation(
        summary=summary,
        metrics=getattr(evaluator, "metrics", {"AP": float(ap), "AP50": float(ap50)}),
        class_ap=getattr(evaluator, "class_ap", {}),
        detections=getattr(evaluator, "detections", []),
        timing=getattr(evaluator, "timing", {}),
        images=_images(evaluator),
    )


def _images(evaluator: Any) -> int | None:
    dataset: Any = getattr(getattr(evaluator, "dataloader", None), "dataset", None)
    return len(dataset) if hasattr(dataset, "__len__") else None


def time_forward(exp: AttentionExp, checkpoint: Path | None, how: Conditions) -> cost.Latency:
    """Time one image of noise at test_size; without a checkpoint with the initial weights."""
    model = exp.get_model() if checkpoint is None else load_model(exp, checkpoint)
    if how.fuse:
        model = _fuse(model, 255 * torch.rand(1, 3, *exp.test_size))
    model = placed(model, exp, how.device)
    with devices.autocast(how.device, devices.precision_dtype(how.precision, how.device)):
        return cost.latency({"model": model}, exp.test_size, device=how.device)["model"]


def load_model(exp: AttentionExp, checkpoint: Path) -> nn.Module:
    """Return the experiment's network with all weights of a checkpoint.

    Raises:
        InputError: the checkpoint cannot be read, is another model's, or lacks weights.
    """
    model = exp.get_model()
    init = exp.attention_init
    _log(str(load_weights(model, checkpoint, attention_init=init, complete=True)))
    return model


def _exported(exp: AttentionExp, file: Path, how: Conditions) -> ExportedModel:
    if how.fuse or how.precision != "fp32":
        raise InputError(f"{file} is exported: how it computes is fixed in it")
    model = ExportedModel(file, how.device)
    if len(model.card.names) != exp.num_classes:
        there, here = len(model.card.names), exp.num_classes
        raise InputError(f"{file} has {there} classes, the data have {here}")
    return model


def _fuse(model: nn.Module, images: Tensor) -> nn.Module:
    fused, layers = fuse(model, images)
    _log(f"fused {layers} convolutions with their BatchNorm, outputs compared")
    return fused


def _first_images(dataset: Any) -> Tensor:
    """Return up to two images of the set, the same on every rank: some ranks may have no share."""
    images = [dataset[index][0] for index in range(min(2, len(dataset)))]
    if not images:
        raise InputError("the evaluation set has no images")
    return torch.stack([torch.as_tensor(image) for image in images])


def placed(model: nn.Module, exp: AttentionExp, device: torch.device) -> nn.Module:
    """Return the network on a device in eval mode, in the memory format of the experiment."""
    layout = torch.channels_last if exp.channels_last else torch.contiguous_format
    return model.to(memory_format=layout).to(device).eval()


def _set_precision(evaluator: Any, how: Conditions) -> None:
    dtype = devices.precision_dtype(how.precision, how.device)
    if isinstance(evaluator, AnyDevice):
        evaluator.autocast_dtype = dtype
    elif dtype is not None:
        raise InputError(
            f"--{how.precision} needs an evaluator of yolox_attn.evaluators; this Exp's is "
            f"{type(evaluator).__name__}"
        )


def _log(line: str) -> None:
    if is_main_process():
        logger.info(line)

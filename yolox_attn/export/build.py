"""A checkpoint becomes an exported file, once that is shown to detect the same."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from yolox.data.data_augment import preproc

from yolox_attn import __version__
from yolox_attn.coco.annotations import Truth, read_truth
from yolox_attn.coco.evaluate import match
from yolox_attn.data.scenes import draw_scene
from yolox_attn.errors import InputError
from yolox_attn.evaluators.predict import Rules, keep_best
from yolox_attn.exp import AttentionExp
from yolox_attn.exp.evaluation import Conditions, evaluate_checkpoint, load_model
from yolox_attn.exp.evaluation_folder import annotations_of
from yolox_attn.exp.fuse import fuse
from yolox_attn.export.onnx import trace, write_onnx
from yolox_attn.export.openvino import write_openvino
from yolox_attn.export.parity import Parity, compare_outputs, first_departing, unmatched
from yolox_attn.models.exported import STRIDE, Card, ExportedModel
from yolox_attn.runs import file_hash
from yolox_attn.stats.interval import estimate, image_interval
from yolox_attn.stats.jackknife import draw_blocks, effective_number, image_noise
from yolox_attn.stats.measured import Measured, measure

CPU = Conditions(torch.device("cpu"))
LOSS = 0.5  # AP points: the smallest effect that verdicts take as worth having
OTHER_BOXES = 0.01  # of NMS: rounding may lift a box over a threshold, and that one hides others
BATCH = 8  # images compared at once, in float64
GREY = 114  # YOLOX fills with it what a picture leaves free


@dataclass(frozen=True)
class Request:
    """What is to be exported, and how.

    Args:
        exp: the experiment; checkpoint: its weights; name: what it is called.
        names: of the classes.
        format: "onnx" or "openvino".
        nms: whether the file holds NMS; half: whether its weights are float16.
        images: how many are compared.
    """

    exp: AttentionExp
    checkpoint: Path
    name: str
    names: tuple[str, ...]
    format: str
    nms: bool = False
    half: bool = False
    images: int = 8

    def card(self, *, nms: bool) -> Card:
        """Return what the file is to say of itself."""
        return Card(
            experiment=self.name,
            checkpoint_sha256=file_hash(self.checkpoint),
            names=self.names,
            image_size=(self.exp.test_size[0], self.exp.test_size[1]),
            confidence=self.exp.test_conf,
            nms_iou=self.exp.nmsthre,
            nms=nms,
            half=self.half,
            version=__version__,
        )


@dataclass(frozen=True)
class Difference:
    """AP of both on the validation images, and what other images would make of the difference.

    Args:
        images: how many; torch, exported: AP, points.
        interval: 95 % of the difference exported minus torch, AP points.
    """

    images: int
    torch: float
    exported: float
    interval: tuple[float, float]

    @property
    def points(self) -> float:
        """Exported minus torch."""
        return self.exported - self.torch


@dataclass(frozen=True)
class Exported:
    """What was made, and what was found.

    Args:
        file: the file, .onnx or .xml; opset: of the ONNX form.
        parity: of the outputs, None of float16 weights, which are judged by AP alone.
        nms: boxes that only one of NMS inside and YOLOX's NMS keeps, and all that they keep; None
            without NMS.
        node: where outputs that are not equal first depart; None if no value inside does.
        ap: None without data.
        real_images: whether data were there; else the pictures compared were drawn.
    """

    file: str
    opset: int
    parity: Parity | None
    nms: tuple[int, int] | None
    node: str | None
    ap: Difference | None
    real_images: bool

    @property
    def fault(self) -> str | None:
        """Return why the file is not to be used, None if it may be."""
        if self.parity is not None and not self.parity.holds:
            where = f"; first at {self.node}" if self.node else ""
            return f"its outputs depart from the network's{where}"
        if self.nms is not None and self.nms[0] > OTHER_BOXES * self.nms[1]:
            return "the NMS inside it keeps other boxes than YOLOX's"
        if self.ap is None and (self.parity is None or self.parity.compared == 0):
            return "nothing could be compared"
        if self.ap is not None and self.ap.points < -LOSS:
            return f"it loses {-self.ap.points:.2f} AP, more than {LOSS}"
        return None


Progress = Callable[[str], None]


def export(request: Request, file: Path, progress: Progress) -> Exported:
    """Write `file` and compare it with the network; a file with a fault has to be taken away.

    Args:
        request: what.
        file: where: .onnx, or .xml, whose weights go to .bin next to it.
        progress: called with a line before each step.

    Raises:
        InputError: the checkpoint does not fit, something needed is not installed, or the network
            cannot be exported.
    """
    exp = request.exp
    checkpoint, truth_file = request.checkpoint, annotations_of(exp, CPU)
    real = truth_file is not None and truth_file.is_file()
    if request.half and not real:
        raise InputError(
            "--half is judged by AP: give --data, whose validation images show objects"
        )
    pictures = dataset_images(exp, request.images) if real else drawn_images(exp, request.images)
    model = load_model(exp, checkpoint).eval()
    fused, _ = fuse(model, pictures[:2])
    progress("tracing the network")
    program = trace(fused, half=request.half)
    opset = write_form(program, request, file, nms=request.nms)
    parity, nms, node = None, None, None
    if not request.half:
        progress(f"comparing outputs on {len(pictures)} images")
        with tempfile.TemporaryDirectory() as scratch:
            plain = file
            if request.nms:
                plain = Path(scratch, file.name)
                write_form(program, request, plain, nms=False)
            outputs = ExportedModel(plain)
            parity = compare_outputs(model, outputs, at_two_sizes(pictures), fused)
            if request.nms:
                nms = compare_nms(ExportedModel(file), outputs, pictures)
        if not parity.holds and request.format == "onnx":
            node = first_departing(program, pictures[:2])
    ap = None
    if real and truth_file is not None:
        progress("evaluating both")
        truth = read_truth(truth_file)
        ap = difference(truth, *(measured_ap(exp, each, truth) for each in (checkpoint, file)))
    return Exported(str(file), opset, parity, nms, node, ap, real)


def compare_nms(file: ExportedModel, outputs: ExportedModel, pictures: Tensor) -> tuple[int, int]:
    """Compare a file's NMS with YOLOX's NMS of the file's own outputs.

    Returns:
        how many boxes only one of them keeps, and how many both keep, counted twice.
    """
    card, different, boxes = file.card, 0, 0
    rules = Rules(card.image_size, len(card.names), card.confidence, card.nms_iou)
    for batch in pictures.split(BATCH):
        for rows, expected in zip(file(batch), keep_best(outputs(batch), rules), strict=True):
            different += unmatched(rows, expected)
            boxes += len(rows) + len(expected)
    return different, boxes


def write_form(program: torch.onnx.ONNXProgram, request: Request, file: Path, *, nms: bool) -> int:
    """Write the program in the format asked for; return the opset of its ONNX form."""
    card = request.card(nms=nms)
    if request.format == "onnx":
        return write_onnx(program, file, card)
    with tempfile.TemporaryDirectory() as scratch:
        between = Path(scratch, "network.onnx")
        opset = write_onnx(program, between, card, inclusive=True)
        write_openvino(between, file, card)
    return opset


def dataset_images(exp: AttentionExp, count: int) -> Tensor:
    """Return the first images of the validation split as the network gets them, (N, 3, H, W)."""
    dataset = exp.get_evaluator(1, is_distributed=False).dataloader.dataset
    images = [dataset[index][0] for index in range(min(count, len(dataset)))]
    return torch.from_numpy(np.stack(images)).float()


def drawn_images(exp: AttentionExp, count: int) -> Tensor:
    """Return drawn scenes as the network gets them, (N, 3, H, W)."""
    size, rng = tuple(exp.test_size), np.random.default_rng(0)
    scenes = [draw_scene(max(size), rng).pixels for _ in range(count)]
    return torch.from_numpy(np.stack([preproc(each, size)[0] for each in scenes])).float()


def at_two_sizes(images: Tensor) -> list[Tensor]:
    """Return the images in batches at their size, and two of them at a taller one."""
    taller = functional.pad(images[:2], (0, 0, 0, STRIDE), value=GREY)
    return [*images.split(BATCH), taller]


def measured_ap(exp: AttentionExp, file: Path, truth: Truth) -> Measured:
    """Evaluate a checkpoint or an exported file on the validation images, one left out in turn."""
    detections = evaluate_checkpoint(exp, file, CPU).detections
    resamples = np.empty((0, len(truth.images)), dtype=np.int32)  # none: the jackknife alone
    return measure(match(truth, detections, str(file)), resamples, blocks_of(truth))


def blocks_of(truth: Truth) -> NDArray[np.int64]:
    """Return the block that each image is left out with."""
    return draw_blocks(np.random.default_rng(0), len(truth.images))


def difference(truth: Truth, torch_ap: Measured, exported_ap: Measured) -> Difference | None:
    """Compare the two; None where the images show no object to find."""
    here, there = torch_ap.metrics["AP"], exported_ap.metrics["AP"]
    left_out = (exported_ap.left_out["AP"] - torch_ap.left_out["AP"])[:, None]
    if not np.isfinite([here, there]).all() or not np.isfinite(left_out).all():
        return None
    images = effective_number(blocks_of(truth))
    low, high = image_interval(estimate([there - here], image_noise(left_out), images))
    return Difference(len(truth.images), here, there, (float(low), float(high)))

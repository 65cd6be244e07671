"""A trained detector as a function: images in, boxes with class names out."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeAlias, overload

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn
from yolox.data.data_augment import preproc

from yolox_attn import device as devices
from yolox_attn.console import printable
from yolox_attn.core.checkpoint import BEST_NAME
from yolox_attn.core.class_names import class_names
from yolox_attn.cost import evaluation_mode
from yolox_attn.errors import InputError
from yolox_attn.evaluators.predict import Rules, Timing, model_device, run_batch, to_original
from yolox_attn.exp import AttentionExp
from yolox_attn.exp.evaluation import load_model, placed
from yolox_attn.exp.rebuild import exp_of, restore
from yolox_attn.machine import expanded
from yolox_attn.models.exported import ExportedModel, is_exported
from yolox_attn.runs import RECORD_NAME, RunRecord, read_record

Pixels: TypeAlias = NDArray[np.uint8]
Picture: TypeAlias = str | Path | Pixels | Image.Image


@dataclass(frozen=True)
class Detections:
    """What was found in one image, best first.

    Attributes:
        xyxy: (n, 4) float32: left, top, right, bottom in pixels of the image as it was given.
        scores: (n,) float32, objectness times class probability.
        class_ids: (n,) int64, places in `names`.
        names: the detector's class names.
    """

    xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    class_ids: NDArray[np.int64]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def class_names(self) -> list[str]:
        """The name of each box's class."""
        return [self.names[place] for place in self.class_ids]

    def to_supervision(self) -> Any:
        """Return them as `supervision.Detections`.

        Raises:
            InputError: supervision is not installed.
        """
        if find_spec("supervision") is None:
            raise InputError("to_supervision needs: pip install supervision")
        supervision = import_module("supervision")
        return supervision.Detections(
            xyxy=self.xyxy,
            confidence=self.scores,
            class_id=self.class_ids,
            data={"class_name": np.array(self.class_names)},
        )


class Detector:
    """A network with what is needed to use it: `detector(image)` or `detector([image, ...])`.

    An image is a path (turned as its EXIF says), a PIL image, or an array as OpenCV reads it:
    (H, W, 3) uint8, BGR; or (H, W), grey.

    Args:
        model: the network.
        names: of the classes, in the order of its outputs.
        rules: input size, thresholds, precision.
        batch_size: images a pass.

    Attributes:
        timing: seconds of network and NMS so far, and over how many images.
    """

    def __init__(
        self, model: nn.Module, names: Sequence[str], rules: Rules, *, batch_size: int = 8
    ) -> None:
        self.model, self.names, self.rules = model.eval(), tuple(names), rules
        self.batch_size = batch_size
        self.timing = Timing()

    @overload
    def __call__(self, images: Picture) -> Detections: ...

    @overload
    def __call__(self, images: list[Picture]) -> list[Detections]: ...

    def __call__(self, images: Picture | list[Picture]) -> Detections | list[Detections]:
        """Return what is found in an image; of a list of images a list.

        Raises:
            InputError: an image cannot be read, or is none.
        """
        if isinstance(images, list):
            return list(self.detect(images))
        return next(self.detect([images]))

    def detect(self, images: Sequence[Picture]) -> Iterator[Detections]:
        """Yield the detections of each image in turn, a batch of images held at a time."""
        for start in range(0, len(images), self.batch_size):
            pixels = [read_picture(each) for each in images[start : start + self.batch_size]]
            yield from self._batch(pixels)

    def check(self, pixels: Pixels) -> None:
        """Refuse an image of which a side would vanish at the network's size.

        Raises:
            InputError: its size, and the network's.
        """
        height, width = pixels.shape[:2]
        scale = min(self.rules.image_size[0] / height, self.rules.image_size[1] / width)
        if min(int(height * scale), int(width * scale)) < 1:
            size = "x".join(map(str, reversed(self.rules.image_size)))
            raise InputError(f"an image of {width}x{height} vanishes at {size}")

    def _batch(self, pixels: Sequence[Pixels]) -> Iterator[Detections]:
        size = self.rules.image_size
        for each in pixels:
            self.check(each)
        inputs = np.stack([preproc(each, size)[0] for each in pixels])
        device = model_device(self.model)
        with evaluation_mode(self.model), torch.no_grad():
            rows, timing = run_batch(self.model, torch.from_numpy(inputs).to(device), self.rules)
        self.timing += timing
        for found, image in zip(rows, pixels, strict=True):
            yield self._detections(to_original(found, size, *image.shape[:2]), image)

    def _detections(self, rows: Tensor, image: Pixels) -> Detections:
        scores = (rows[:, 4] * rows[:, 5]).numpy().astype(np.float32)
        order = np.argsort(-scores, kind="stable")
        height, width = image.shape[:2]
        corners = rows[:, :4].numpy().astype(np.float32)
        inside = corners.clip(0, np.array([width, height, width, height], dtype=np.float32))
        classes = rows[:, 6].numpy().astype(np.int64)
        return Detections(inside[order], scores[order], classes[order], self.names)


def load_detector(  # noqa: PLR0913 - keywords
    source: str | Path,
    *,
    exp: AttentionExp | None = None,
    device: str = "auto",
    confidence: float = 0.3,
    nms_iou: float | None = None,
    batch_size: int = 8,
) -> Detector:
    """Return a detector: of a run's folder, a checkpoint in one, an exported file, or weights.

    The run's record says how it was made; its own Exp file, if it has one, is run for it, as long
    as it is the one that the record holds by sha256. An exported file says all by itself.

    Args:
        source: the folder (of its best_ckpt.pth), the checkpoint, the .onnx or .xml file.
        exp: the experiment of weights that belong to no run.
        device: "auto", "cpu", "cuda", "cuda:N" or "mps".
        confidence: boxes below it are dropped; a file with NMS inside has dropped some before.
        nms_iou: overlap above which NMS drops a box; None: as the run was judged.
        batch_size: images a pass.

    Raises:
        InputError: there is no run, its Exp file has changed, or its weights do not fit.
    """
    path = expanded(source)
    if not path.exists():
        raise InputError(f"no run folder, checkpoint or exported file {path}")
    if batch_size < 1:
        raise InputError(f"batch_size {batch_size}: at least 1")
    for name, value in (("confidence", confidence), ("nms_iou", nms_iou)):
        if value is not None and not 0 <= value <= 1:
            raise InputError(f"{name} {value}: from 0 to 1")
    if is_exported(path):
        if exp is not None:
            raise InputError(f"{path} says its experiment itself: name none")
        model, names, rules = _exported(path, device, confidence, nms_iou)
        return Detector(model, names, rules, batch_size=batch_size)
    exp, record, checkpoint = _trained(path) if exp is None else (exp, None, path)
    exp.check()
    place = devices.pick_device(device)
    trained = placed(load_model(exp, checkpoint), exp, place)
    rules = Rules(
        image_size=tuple(exp.test_size),
        num_classes=exp.num_classes,
        confidence=confidence,
        nms_iou=exp.nmsthre if nms_iou is None else nms_iou,
    )
    return Detector(trained, class_names(exp, record), rules, batch_size=batch_size)


def _trained(path: Path) -> tuple[AttentionExp, RunRecord, Path]:
    """Return the experiment, the record and the checkpoint of a run's folder, or of a file in it.

    Raises:
        InputError: there is no run, or its Exp file has changed.
    """
    folder, checkpoint = (path, path / BEST_NAME) if path.is_dir() else (path.parent, path)
    if not (folder / RECORD_NAME).is_file():
        raise InputError(
            f"{folder}: not a run folder, it has no {RECORD_NAME}; of weights that belong to no "
            "run name the experiment (-f FILE or -n NAME; exp=... in Python)"
        )
    record = read_record(folder)
    exp = exp_of(record)
    restore(exp, record)
    return exp, record, checkpoint


def _exported(
    file: Path, device: str, confidence: float, nms_iou: float | None
) -> tuple[ExportedModel, tuple[str, ...], Rules]:
    """Return an exported network, its class names and its rules.

    Raises:
        InputError: it cannot be read, or NMS inside it has other thresholds.
    """
    place = torch.device("cpu") if device == "auto" else devices.pick_device(device)
    model = ExportedModel(file, place)
    card = model.card
    thresholds = card.thresholds(file, confidence, nms_iou)
    return model, card.names, Rules(card.image_size, len(card.names), *thresholds)


def read_picture(image: Picture) -> Pixels:
    """Return an image as an array (H, W, 3), BGR.

    Raises:
        InputError: it cannot be read, or has no pixels of that form.
    """
    if isinstance(image, str | Path):
        return _read_file(Path(image))
    if isinstance(image, Image.Image):
        if image.mode.startswith(("I", "F")):
            raise InputError(f"a PIL image of mode {image.mode}: convert it to 8 bits before")
        turned = ImageOps.exif_transpose(image).convert("RGB")
        return np.ascontiguousarray(np.asarray(turned)[..., ::-1])
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.ndim not in (2, 3) or array.size == 0:
        raise InputError(f"an image is (H, W, 3) uint8, got {array.dtype} {array.shape}")
    if array.ndim == 2:
        return np.repeat(array[..., None], 3, axis=2)
    if array.shape[2] != 3:
        raise InputError(f"an image has 3 channels (BGR), got {array.shape}")
    return np.ascontiguousarray(array)


def _read_file(file: Path) -> Pixels:
    image = None
    with contextlib.suppress(OSError, cv2.error):  # from bytes: any name, and no crash on one
        data = np.fromfile(file, dtype=np.uint8)
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise InputError(f"cannot read image {printable(str(file))}: missing, empty or no image")
    return np.asarray(image, dtype=np.uint8)

"""One pass of a detector over a loader: detections in the pixels of the original images.

What both evaluators share. It asks nothing of the device but that the model is on it.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm
from yolox.utils import gather, is_main_process, postprocess
from yolox.utils import synchronize as synchronize_ranks

from yolox_attn.coco.evaluate import Metrics
from yolox_attn.device import autocast, synchronize
from yolox_attn.errors import InputError
from yolox_attn.evaluators.loading import readable
from yolox_attn.evaluators.rules import Rules, model_device, rules_of


@dataclass
class Timing:
    """Seconds on the clock; the first batch of several is left out, as it warms up."""

    images: int = 0
    forward: float = 0.0
    nms: float = 0.0

    def add(self, images: int, forward: float, nms: float) -> None:
        self.images += images
        self.forward += forward
        self.nms += nms

    def as_dict(self) -> dict[str, float]:
        """Return milliseconds an image, and the number of images they were taken over."""
        scale = 1000 / max(self.images, 1)
        return {
            "forward_ms": self.forward * scale,
            "nms_ms": self.nms * scale,
            "images": self.images,
        }


def timing_line(timing: dict[str, float]) -> str:
    """Say what an image costs, in YOLOX's words."""
    forward, nms = timing["forward_ms"], timing["nms_ms"]
    return (
        f"Average forward time: {forward:.2f} ms, Average NMS time: {nms:.2f} ms, "
        f"Average inference time: {forward + nms:.2f} ms\n"
    )


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode; give every module its own mode back, also after an error."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def keep_best(outputs: Tensor, rules: Rules) -> list[Tensor]:
    """Apply the host's threshold and NMS to decoded outputs, which stay as they are.

    An infinite box (the exponential of a young network's output overflows) is never kept.

    Shape: (N, anchors, 5 + classes), boxes as centre and size -> N times (n, 7): x1, y1, x2, y2,
    objectness, class probability, class.

    Raises:
        RuntimeError: the network computes nan.
    """
    if outputs.isnan().any():
        raise RuntimeError("non-finite outputs: the network computes nan on these images")
    outputs = outputs.float().clone()  # the host writes corners into what it is given
    infinite = outputs[..., :4].isinf().any(dim=-1)
    outputs[infinite] = 0
    outputs[..., 4][infinite] = -1
    if outputs.shape[1] == 1:  # the host fails on exactly one anchor: add one that is never kept
        never = torch.ones_like(outputs)
        never[..., 4] = -1
        outputs = torch.cat((outputs, never), dim=1)
    found = postprocess(outputs, rules.num_classes, rules.confidence, rules.nms_iou)
    return [outputs.new_zeros((0, 7)) if rows is None else rows for rows in found]


def to_original(rows: Tensor, image_size: tuple[int, int], height: int, width: int) -> Tensor:
    """Return the rows on the CPU, boxes in pixels of the image before it was resized."""
    rows = rows.cpu()
    scale = min(image_size[0] / float(height), image_size[1] / float(width))
    return torch.cat((rows[:, :4] / scale, rows[:, 4:]), dim=1)


def predict(
    model: nn.Module, loader: Iterable[Any], rules: Rules
) -> tuple[dict[int, Tensor], Timing]:
    """Run the model over the host's loader: rows of `keep_best` for every image id.

    Raises:
        InputError: an image cannot be read.
        RuntimeError: the network computes nan.
    """
    device = model_device(model)
    found: dict[int, Tensor] = {}
    timing = first = Timing()
    progress = tqdm(
        loader,
        desc="evaluating",
        unit="batch",
        leave=False,
        mininterval=1.0,
        disable=None if is_main_process() else True,  # None: off where stderr is no terminal
    )
    with evaluation_mode(model), torch.no_grad():
        for images, _, (heights, widths), ids in readable(progress):
            kept, seconds = run_batch(model, images.to(device, torch.float32), rules)
            if timing is first and timing.images:
                timing = Timing()
            timing.add(len(kept), *seconds)
            for rows, height, width, image_id in zip(kept, heights, widths, ids, strict=True):
                found[int(image_id)] = to_original(rows, rules.image_size, int(height), int(width))
    return found, timing


def run_batch(
    model: nn.Module, images: Tensor, rules: Rules
) -> tuple[list[Tensor], tuple[float, float]]:
    """Return a batch's rows, and the seconds that the network and that NMS took."""
    synchronize(images.device)
    start = time.perf_counter()
    with autocast(images.device, rules.precision):
        outputs = model(images)
    if rules.decoder is not None:
        outputs = rules.decoder(outputs, dtype=outputs.type())
    synchronize(images.device)
    middle = time.perf_counter()
    kept = keep_best(outputs, rules)
    synchronize(images.device)
    return kept, (middle - start, time.perf_counter() - middle)


def collect(found: dict[int, Tensor], timing: Timing) -> tuple[dict[int, Tensor], Timing]:
    """Bring every rank's images to rank 0, each once: the host's sampler repeats some to pad.

    The other ranks get nothing.
    """
    parts: list[tuple[dict[int, Tensor], Timing]] = gather((found, timing), dst=0)
    images: dict[int, Tensor] = {}
    total = Timing()
    for rows, clock in parts:
        images = rows | images  # the first rank that saw an image keeps it
        total.add(clock.images, clock.forward, clock.nms)
    return images, total


def in_order(found: dict[int, Tensor], dataset: Any) -> dict[int, Tensor]:
    """Return the images in the set's own order, whichever process and batch each came from.

    Raises:
        InputError: there are none.
    """
    if not found:
        raise InputError("the evaluation set has no images")
    listed = [image for image in getattr(dataset, "ids", []) if image in found]
    unlisted = sorted(found.keys() - set(listed))
    return {image: found[image] for image in [*listed, *unlisted]}


def to_results(
    found: dict[int, Tensor], class_ids: list[int], num_classes: int
) -> list[dict[str, Any]]:
    """Write rows of `predict` as COCO results, category ids taken from `class_ids`.

    Raises:
        InputError: a class was predicted that the set does not have.
    """
    results: list[dict[str, Any]] = []
    for image_id, rows in found.items():
        corners, scores = rows[:, :4], rows[:, 4] * rows[:, 5]
        boxes = torch.cat((corners[:, :2], corners[:, 2:] - corners[:, :2]), dim=1)
        for label, box, score in zip(
            rows[:, 6].int().tolist(), boxes.tolist(), scores.tolist(), strict=True
        ):
            if label >= len(class_ids):
                raise InputError(
                    f"class {label} was predicted (num_classes is {num_classes}), but the "
                    f"evaluation set has {len(class_ids)} categories; make the two agree"
                )
            results.append(
                {
                    "image_id": image_id,
                    "category_id": int(class_ids[label]),
                    "bbox": box,
                    "score": score,
                }
            )
    return results


class AnyDevice:
    """What makes an evaluator of YOLOX's work where the model is: CPU, CUDA or MPS.

    After `evaluate`, on rank 0:

    Attributes:
        autocast_dtype: mixed precision of the forward pass; None is full precision.
        metrics: the metrics by name, as fractions; None where the set has no such object.
        class_ap: AP by class name, likewise.
        detections: COCO results, plain numbers.
        timing: milliseconds an image of forward and of NMS, images they were taken over.
    """

    dataloader: Any
    num_classes: int

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.autocast_dtype: torch.dtype | None = None
        self.metrics: Metrics = {}
        self.class_ap: Metrics = {}
        self.detections: list[dict[str, Any]] = []
        self.timing: dict[str, float] = {}

    def evaluate(  # noqa: PLR0913 - YOLOX's signature
        self,
        model: nn.Module,
        distributed: bool = False,  # noqa: FBT001, FBT002
        half: bool = False,  # noqa: FBT001, FBT002
        trt_file: None = None,
        decoder: Any = None,
        test_size: Any = None,
    ) -> tuple[float, float, str]:
        """Return AP, AP50 (fractions; 0 where undefined) and a summary; ranks > 0 get zeros.

        Args:
            model: is evaluated where it is, and left in the mode it was in.
            distributed: every rank evaluates its share and rank 0 judges.
            half: float16 autocast, on CUDA only.
            trt_file: refused.
            decoder: applied to the model's outputs, if given.
            test_size: part of YOLOX's signature for TensorRT; `img_size` rules.
        """
        rules = rules_of(self, model, half=half, trt_file=trt_file, decoder=decoder)
        found, timing = predict(model, self.dataloader, rules)
        if distributed:
            found, timing = collect(found, timing)
        result = 0.0, 0.0, ""
        if is_main_process():
            found = in_order(found, self.dataloader.dataset)
            self.timing = timing.as_dict()
            result = self.evaluate_prediction(self.take(found), self.timing)
        synchronize_ranks()
        return result

    def take(self, found: dict[int, Tensor]) -> Any:
        """Set `detections` from the images' rows; return what `evaluate_prediction` gets."""
        raise NotImplementedError

    def evaluate_prediction(self, data_dict: Any, statistics: dict[str, float]) -> Any:
        """Return AP, AP50 and a summary, and set the metrics; `statistics` is the timing."""
        raise NotImplementedError

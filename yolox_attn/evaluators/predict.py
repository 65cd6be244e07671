"""One pass of a detector over a loader: detections in the pixels of the original images.

What both evaluators share. It asks nothing of the device but that the model is on it.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm
from yolox.utils import gather, is_main_process, postprocess
from yolox.utils import synchronize as synchronize_ranks

from yolox_attn.coco.evaluate import Metrics
from yolox_attn.cost import evaluation_mode
from yolox_attn.device import autocast, precision_dtype, synchronize
from yolox_attn.errors import InputError, unwrapped

# image id -> (n, 7): x1, y1, x2, y2, objectness, class probability, class
Rows = dict[int, Tensor]

NOT_FINITE = "non-finite outputs: the network computes nan on these images"
FARTHEST = 1e6  # pixels: no corner of a box that could match anything lies there


@dataclass(frozen=True)
class Rules:
    """What turns a network's output into detections."""

    image_size: tuple[int, int]  # (height, width) of the network's input
    num_classes: int
    confidence: float  # objectness times class probability below this is dropped
    nms_iou: float
    precision: torch.dtype | None = None  # of autocast; None is full precision
    decoder: Callable[..., Tensor] | None = None  # YOLOX's hook for undecoded heads


@dataclass(frozen=True)
class Timing:
    """Seconds on the clock that `images` took."""

    images: int = 0
    forward: float = 0.0
    nms: float = 0.0

    def __add__(self, other: "Timing") -> "Timing":
        return Timing(
            self.images + other.images, self.forward + other.forward, self.nms + other.nms
        )

    def as_dict(self) -> dict[str, float]:
        """Return milliseconds an image, and the number of images they were taken over."""
        scale = 1000 / max(self.images, 1)
        return {
            "forward_ms": self.forward * scale,
            "nms_ms": self.nms * scale,
            "images": self.images,
        }


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
            distributed: each rank predicts its share of the images, and rank 0 judges.
            half: float16 autocast, on CUDA only.
            trt_file: refused.
            decoder: applied to the model's outputs, if given.
            test_size: part of YOLOX's signature for TensorRT; `img_size` rules.
        """
        if trt_file is not None:
            raise InputError("trt_file is not supported: evaluate the PyTorch model itself")
        rules = rules_of(self, model, half=half, decoder=decoder)
        rows, timing = predict(model, self.dataloader, rules)
        if distributed:
            rows, timing = collect(rows, timing)
        result = 0.0, 0.0, ""
        if is_main_process():
            rows = in_order(rows, self.dataloader.dataset)
            self.timing = timing.as_dict()
            result = self.evaluate_prediction(self.convert(rows), self.timing)
        synchronize_ranks()
        return result

    def convert(self, rows: Rows) -> Any:
        """Set `detections` from the images' rows; return what `evaluate_prediction` takes."""
        raise NotImplementedError

    def evaluate_prediction(self, data_dict: Any, statistics: dict[str, float]) -> Any:
        """Return AP, AP50 and a summary, and set the metrics; `statistics` is the timing."""
        raise NotImplementedError


def rules_of(evaluator: Any, model: nn.Module, *, half: bool = False, decoder: Any = None) -> Rules:
    """Read the rules off an evaluator's attributes.

    `half` is float16 autocast: YOLOX's model.half() would stay for good.

    Raises:
        InputError: float16 off CUDA.
    """
    half_dtype = precision_dtype("fp16", model_device(model)) if half else None
    return Rules(
        image_size=evaluator.img_size,
        num_classes=evaluator.num_classes,
        confidence=evaluator.confthre,
        nms_iou=evaluator.nmsthre,
        precision=half_dtype or evaluator.autocast_dtype,
        decoder=decoder,
    )


def model_device(model: nn.Module) -> torch.device:
    """Return the device of the model's first parameter or buffer; the CPU if it has none."""
    tensors: Iterator[Tensor] = (t for part in (model.parameters(), model.buffers()) for t in part)
    first = next(tensors, None)
    return torch.device("cpu") if first is None else first.device


def predict(model: nn.Module, loader: Iterable[Any], rules: Rules) -> tuple[Rows, Timing]:
    """Run the model over YOLOX's loader.

    The first batch of several is left out of the timing, as it warms up.

    Raises:
        InputError: an image cannot be read.
        RuntimeError: the network computes nan.
    """
    device = model_device(model)
    rows: Rows = {}
    timings: list[Timing] = []
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
            kept, timing = run_batch(model, images.to(device, torch.float32), rules)
            timings.append(timing)
            for boxes, height, width, image_id in zip(kept, heights, widths, ids, strict=True):
                rows[int(image_id)] = to_original(boxes, rules.image_size, int(height), int(width))
    return rows, sum(timings[1:] or timings, start=Timing())


def readable(loader: Iterable[Any]) -> Iterator[Any]:
    """Yield the loader's batches.

    Raises:
        InputError: an image cannot be read; one line, whichever process tried to.
    """
    try:
        yield from loader
    except InputError as error:
        raise unwrapped(error) from None


def run_batch(model: nn.Module, images: Tensor, rules: Rules) -> tuple[list[Tensor], Timing]:
    """Return a batch's rows by `keep_best`, and the time that the network and NMS took."""
    synchronize(images.device)
    start = time.perf_counter()
    with autocast(images.device, rules.precision):
        outputs = model(images)
    if rules.decoder is not None:
        outputs = rules.decoder(outputs, dtype=outputs.type())
    synchronize(images.device)
    middle = time.perf_counter()
    # An exported network may hold NMS itself: then its outputs are what NMS has kept.
    kept = above(outputs, rules) if isinstance(outputs, list) else keep_best(outputs, rules)
    synchronize(images.device)
    return kept, Timing(len(kept), middle - start, time.perf_counter() - middle)


def keep_best(outputs: Tensor, rules: Rules) -> list[Tensor]:
    """Apply YOLOX's threshold and NMS to decoded outputs, which stay as they are.

    An infinite box (the exponential of a young network's output overflows) is never kept.

    Shape: (N, anchors, 5 + classes), boxes as centre and size -> N times (n, 7), as in `Rows`.

    Raises:
        RuntimeError: the network computes nan.
    """
    if outputs.isnan().any():
        raise RuntimeError(NOT_FINITE)
    outputs = outputs.float().clone()  # YOLOX writes corners into what it is given
    infinite = outputs[..., :4].isinf().any(dim=-1)
    outputs[infinite] = 1
    outputs[..., 4][infinite] = -1  # times a class's 1 is below every threshold
    if outputs.shape[1] == 1:  # YOLOX fails on exactly one anchor: add one that is never kept
        never = torch.ones_like(outputs)
        never[..., 4] = -1
        outputs = torch.cat((outputs, never), dim=1)
    kept = postprocess(outputs, rules.num_classes, rules.confidence, rules.nms_iou)
    return [outputs.new_zeros((0, 7)) if boxes is None else boxes for boxes in kept]


def above(images: list[Tensor], rules: Rules) -> list[Tensor]:
    """Return the rows of each image, as in `Rows`, that reach the confidence.

    Raises:
        RuntimeError: the network computes nan.
    """
    if any(rows.isnan().any() for rows in images):
        raise RuntimeError(NOT_FINITE)
    return [rows[rows[:, 4] * rows[:, 5] >= rules.confidence] for rows in images]


def to_original(boxes: Tensor, image_size: tuple[int, int], height: int, width: int) -> Tensor:
    """Return an image's rows on the CPU, in pixels of the image before it was resized.

    A box whose corners went beyond all bounds, as early in a training, stays the false alarm that
    it is: it gets corners that are finite, and so is its size.
    """
    boxes = boxes.cpu()
    scale = min(image_size[0] / float(height), image_size[1] / float(width))
    corners = (boxes[:, :4] / scale).nan_to_num(nan=FARTHEST).clamp(-FARTHEST, FARTHEST)
    return torch.cat((corners, boxes[:, 4:]), dim=1)


def collect(rows: Rows, timing: Timing) -> tuple[Rows, Timing]:
    """Bring all ranks' images to rank 0, each once: YOLOX's sampler repeats some to pad.

    The other ranks get nothing.
    """
    parts: list[tuple[Rows, Timing]] = gather((rows, timing), dst=0)
    images: Rows = {}
    for share, _ in parts:
        images = share | images  # the first rank that saw an image keeps it
    return images, sum((clock for _, clock in parts), start=Timing())


def in_order(rows: Rows, dataset: Any) -> Rows:
    """Return the images in the set's own order, whichever process and batch each came from.

    Raises:
        InputError: there are none.
    """
    if not rows:
        raise InputError("the evaluation set has no images")
    listed = [image for image in getattr(dataset, "ids", []) if image in rows]
    unlisted = sorted(rows.keys() - set(listed))
    return {image: rows[image] for image in [*listed, *unlisted]}


def to_results(rows: Rows, class_ids: list[int], num_classes: int) -> list[dict[str, Any]]:
    """Return the rows as COCO results, category ids taken from `class_ids`.

    Raises:
        InputError: a class was predicted that the set does not have.
    """
    results: list[dict[str, Any]] = []
    for image_id, image in rows.items():
        boxes = torch.cat((image[:, :2], image[:, 2:4] - image[:, :2]), dim=1)
        scores = image[:, 4] * image[:, 5]
        labels = image[:, 6].int()
        for label, box, score in zip(labels.tolist(), boxes.tolist(), scores.tolist(), strict=True):
            if label >= len(class_ids):
                raise InputError(
                    f"class {label} was predicted (num_classes is {num_classes}), but the "
                    f"evaluation set has {len(class_ids)} categories; make the two agree"
                )
            category = int(class_ids[label])
            results.append(
                {"image_id": image_id, "category_id": category, "bbox": box, "score": score}
            )
    return results


def timing_line(timing: dict[str, float]) -> str:
    """Return what an image costs, in YOLOX's words."""
    forward, nms = timing["forward_ms"], timing["nms_ms"]
    return (
        f"Average forward time: {forward:.2f} ms, Average NMS time: {nms:.2f} ms, "
        f"Average inference time: {forward + nms:.2f} ms\n"
    )

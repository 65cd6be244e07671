"""Does an exported detector compute what it was made of? Both are compared with float64."""

import copy
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.onnx.verification import VerificationInfo

from yolox_attn.blocks.drconv import DRConv

ALLOWED = 3.0  # times torch's own departure from float64
# Of that departure, relative to the image's side and to a probability of 1: a few roundings, and
# what the runtimes' own exponential may be off by.
LEAST = 1e-6
SAME_BOX = 1e-3  # pixels of a corner, and of the score
UNBOUNDED = 1e30  # pixels: the exponential of a young network, which no detection is made of
NOTICEABLE = 1e-3  # of a value inside, relative and absolute: hundreds of roundings
TIE = 1e-5  # two regions whose scores are as near: rounding decides which kernel a pixel gets


@dataclass(frozen=True)
class Departure:
    """Largest departures from float64.

    Args:
        boxes: of centres and sides, pixels; of a box larger than the image by as much less.
        probabilities: of objectness and classes.
    """

    boxes: float
    probabilities: float

    def __or__(self, other: "Departure") -> "Departure":
        return Departure(max(self.boxes, other.boxes), max(self.probabilities, other.probabilities))


@dataclass(frozen=True)
class Parity:
    """What `compare_outputs` found.

    Args:
        images: inputs, of which the tied ones could not be compared; sizes: theirs.
        torch, exported: how far each is from float64, on images without ties.
        tied_images: with a tie between a DRConv's regions, judged by AP alone; ties: pixels.
        allowed: the most that the exported detector may depart.
    """

    images: int
    sizes: tuple[tuple[int, int], ...]
    torch: Departure
    exported: Departure
    tied_images: int
    ties: int
    allowed: Departure

    @property
    def holds(self) -> bool:
        """Whether the exported detector is as exact as torch, to the factor `ALLOWED`."""
        return (
            math.isfinite(self.allowed.boxes + self.allowed.probabilities)
            and self.exported.boxes <= self.allowed.boxes
            and self.exported.probabilities <= self.allowed.probabilities
        )

    @property
    def compared(self) -> int:
        """How many inputs were compared: those without ties."""
        return self.images - self.tied_images


def compare_outputs(
    model: nn.Module, exported: nn.Module, batches: Sequence[Tensor], fused: nn.Module | None = None
) -> Parity:
    """Compare both with the network in float64, on the same images.

    The exported one may depart from float64 three times as far as torch's float32 does, which
    leaves room for another order of the same sums. Torch's is that of the network or of its fused
    form, whichever departs further: folded into a convolution, a BatchNorm rounds differently.
    Where two regions of a DRConv are as good as equal, rounding chooses the pixel's kernel: such
    images are counted and not compared.

    Args:
        model: in float32, in eval mode, on the CPU.
        exported: gives the outputs of all anchors.
        batches: (N, 3, H, W) each, of any sizes.
        fused: the network as it was exported, in torch.
    """
    exact, forms = copy.deepcopy(model).double(), [model] if fused is None else [model, fused]
    ours = theirs = Departure(0.0, 0.0)
    longest, tied, ties = 0, 0, 0
    with torch.no_grad():
        for images in batches:
            with counted_ties(exact) as counts:
                expected = exact(images.double())
            pixels = torch.stack(counts).sum(dim=0) if counts else torch.zeros(len(images))
            ties, tied = ties + int(pixels.sum()), tied + int((pixels > 0).sum())
            alike = pixels == 0
            if not alike.any():
                continue
            side = max(images.shape[2:])
            longest = max(longest, side)
            for form in forms:
                ours |= departure(form(images)[alike], expected[alike], side)
            theirs |= departure(exported(images)[alike], expected[alike], side)
    return Parity(
        images=sum(map(len, batches)),
        sizes=tuple((each.shape[2], each.shape[3]) for each in batches),
        torch=ours,
        exported=theirs,
        tied_images=tied,
        ties=ties,
        allowed=Departure(
            ALLOWED * max(ours.boxes, LEAST * longest),
            ALLOWED * max(ours.probabilities, LEAST),
        ),
    )


def unmatched(rows: Tensor, expected: Tensor) -> int:
    """Return how many boxes of either have no equal in the other: corners, score and class.

    Args:
        rows: what NMS kept of an image, (n, 7) as YOLOX's gives them.
        expected: likewise.
    """

    def points(boxes: Tensor) -> Tensor:
        score = (boxes[:, 4] * boxes[:, 5])[:, None]
        return torch.cat((boxes[:, :4], score, boxes[:, 6:]), dim=1).double()

    one, other = points(rows), points(expected)
    if not len(one) or not len(other):
        return len(one) + len(other)
    apart = torch.cdist(one, other, p=torch.inf) > SAME_BOX
    return int(apart.all(dim=1).sum() + apart.all(dim=0).sum())


def departure(outputs: Tensor, expected: Tensor, side: int) -> Departure:
    """Return how far outputs, (N, anchors, 5 + classes), are from what is expected; nan is far.

    A box larger than the image departs by the share that its size departs: one wild anchor, whose
    rounding alone is pixels, must not hide the errors of all others.

    Args:
        outputs: of the one.
        expected: of the other.
        side: the longer one of the images, pixels.
    """
    gap = (outputs.double() - expected.double()).abs().nan_to_num(nan=torch.inf)
    sides = expected[..., 2:4].double().amax(dim=-1, keepdim=True)
    boxes = torch.where(sides < UNBOUNDED, gap[..., :4] / (sides / side).clamp(min=1), 0.0)
    return Departure(float(boxes.max()), float(gap[..., 4:].max()))


@contextmanager
def counted_ties(model: nn.Module) -> Iterator[list[Tensor]]:
    """Collect, of every DRConv, (N,) how many pixels of each image have two equal best regions."""
    counts: list[Tensor] = []

    def count(module: nn.Module, inputs: tuple[Tensor, ...], scores: Tensor) -> None:
        best, second = scores.topk(2, dim=1).values.unbind(dim=1)
        counts.append((best - second < TIE).sum(dim=(1, 2)))

    blocks = [each for each in model.modules() if isinstance(each, DRConv) and each.region_num > 1]
    hooks = [block.conv_guide.register_forward_hook(count) for block in blocks]
    try:
        yield counts
    finally:
        for hook in hooks:
            hook.remove()


def first_departing(program: torch.onnx.ONNXProgram, images: Tensor) -> str | None:
    """Return the first value of the ONNX program that is not torch's; None if each inside it is.

    As `torch.onnx.verification.verify_onnx_program` does, but with all values in one pass: it makes
    a session for each, which takes minutes.

    Args:
        program: as it was traced.
        images: (2 or more, 3, H, W).
    """
    if program.exported_program is None:
        return None
    recorder = Recorder(program.exported_program.module())
    recorder.run(images)
    graph = program.model.graph
    known = {value.name for node in graph for value in node.outputs}
    names = [name for name in recorder.values if name in known]
    for name, theirs in zip(names, program.compute_values(names, (images,)), strict=True):
        difference = VerificationInfo.from_tensors(name, recorder.values[name], theirs)
        if difference.max_abs_diff > NOTICEABLE and difference.max_rel_diff > NOTICEABLE:
            return f"{name} (by up to {difference.max_abs_diff:.2g})"
    return None


class Recorder(fx.Interpreter):
    """Runs a traced network and keeps what each of its operations gives.

    Attributes:
        values: name of the operation -> its tensor, in the order of their computation.
    """

    def __init__(self, module: Any) -> None:
        super().__init__(module)
        self.values: dict[str, Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        result = super().run_node(n)
        if n.op == "call_function" and isinstance(result, Tensor):
            self.values[n.name] = result.detach().clone()
        return result

"""What a model costs: parameters, floating-point operations, milliseconds an image."""

import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from yolox_attn.device import synchronize


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass: the median, and between which 80 % of the passes lie."""

    median_ms: float
    low_ms: float
    high_ms: float


def parameters(model: nn.Module) -> int:
    """Return how many numbers `model` holds as parameters, trainable or not."""
    return sum(parameter.numel() for parameter in model.parameters())


def flops(model: nn.Module, size: tuple[int, int], *, training: bool = False) -> int:
    """Return the FLOPs of one forward pass over one RGB image of `size` = (height, width).

    `training` counts the form that gradients go through, where a block takes a cheaper one without
    them; the backward pass is not counted.
    """
    return flops_of(model, _image(model, size), training=training)


def flops_of(model: nn.Module, x: Tensor, *, training: bool = False) -> int:
    """Return the FLOPs of `model(x)` in evaluation mode: 2 for each multiply-add.

    Counted are convolutions and matrix products as torch sees them, attention as the two products
    it consists of, and what a module's own `elementwise_flops(height, width)` adds.
    Normalisation, activations and gates are not counted.
    """
    elementwise = 0

    def add(module: nn.Module, args: tuple[Tensor, ...], _: object) -> None:
        nonlocal elementwise
        count = module.elementwise_flops  # a method; nn.Module is typed as if it were a tensor
        elementwise += len(args[0]) * count(*args[0].shape[-2:])  # type: ignore[operator]

    with ExitStack() as stack:
        for module in model.modules():
            if hasattr(module, "elementwise_flops"):
                stack.callback(module.register_forward_hook(add).remove)
        stack.enter_context(evaluation_mode(model))
        stack.enter_context(_countable())
        stack.enter_context(torch.set_grad_enabled(training))
        counter = stack.enter_context(FlopCounterMode(display=False))
        model(x)
    return int(counter.get_total_flops()) + elementwise


def latency(
    models: Mapping[str, nn.Module],
    size: tuple[int, int],
    *,
    device: torch.device,
    repeats: int = 30,
    warmup: int = 3,
) -> dict[str, Latency]:
    """Time one image of `size` through each model in turn, `repeats` rounds, on `device`.

    Turns are interleaved and each round begins with another model, so that a machine that slows
    down slows all of them. The models are moved to `device` and stay there.

    Raises:
        ValueError: fewer than 2 repeats, of which no spread can be taken.
    """
    if repeats < 2:
        raise ValueError(f"latency needs at least 2 repeats, got {repeats}")
    names = list(models)
    times: dict[str, list[float]] = {name: [] for name in names}
    with ExitStack() as stack:
        for model in models.values():
            stack.enter_context(evaluation_mode(model.to(device)))
        stack.enter_context(torch.inference_mode())
        images = {name: _image(model, size) for name, model in models.items()}
        for turn in range(warmup + repeats):
            first = turn % len(names) if names else 0
            for name in names[first:] + names[:first]:
                elapsed = _seconds(models[name], images[name], device)
                if turn >= warmup:
                    times[name].append(elapsed * 1000)
    return {name: _summary(milliseconds) for name, milliseconds in times.items()}


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Put the model in eval mode; give each module its own mode back, also after an error."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _seconds(model: nn.Module, image: Tensor, device: torch.device) -> float:
    synchronize(device)
    start = time.perf_counter()
    model(image)
    synchronize(device)
    return time.perf_counter() - start


def _summary(milliseconds: list[float]) -> Latency:
    tenths = statistics.quantiles(milliseconds, n=10, method="inclusive")
    return Latency(statistics.median(milliseconds), tenths[0], tenths[-1])


def _image(model: nn.Module, size: tuple[int, int]) -> Tensor:
    """Return one image of noise, the same every time, where the model's parameters are."""
    height, width = size
    noise = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    like = next(model.parameters(), noise)
    return (255 * noise).to(device=like.device, dtype=like.dtype)


@contextmanager
def _countable() -> Iterator[None]:
    """Keep torch off the fused attention kernels, of which the counter may miss the products."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)

"""Every trainable parameter in exactly one group of the host's optimiser."""

from itertools import chain
from typing import Any

import torch
from torch import nn


def parameter_groups(model: nn.Module) -> tuple[list[nn.Parameter], ...]:
    """Return the host's three groups in its order: scales, weights (with decay), biases.

    The host collects attributes called `weight` and `bias` only, and reads `weight` of whatever has
    "bn" in its name. Here every parameter that requires a gradient is in one group, once: those
    named `bias` in the third, other 1-d ones (BatchNorm, rates, gamma) in the first, the rest in
    the second. For a stock model the groups are the host's, tensor by tensor.
    """
    scales: list[nn.Parameter] = []
    weights: list[nn.Parameter] = []
    biases: list[nn.Parameter] = []
    seen: set[int] = set()
    for module in model.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in seen:
                continue
            seen.add(id(parameter))
            one_dimensional = parameter.ndim <= 1
            group = biases if name == "bias" else scales if one_dimensional else weights
            group.append(parameter)
    return scales, weights, biases


def build_sgd(
    model: nn.Module, lr: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return the host's SGD with Nesterov momentum over `parameter_groups(model)`.

    Raises:
        RuntimeError: a trainable parameter would not be trained (a fault of ours, never silent).
    """
    scales, weights, biases = parameter_groups(model)
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    if trainable != {id(p) for p in chain(scales, weights, biases)}:
        raise RuntimeError("optimiser groups do not cover the trainable parameters exactly once")
    groups: list[dict[str, Any]] = [
        {"params": scales},
        {"params": weights, "weight_decay": weight_decay},
        {"params": biases},
    ]
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=True)

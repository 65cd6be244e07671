"""Every trainable parameter in exactly one group of YOLOX's optimiser."""

from typing import Any

import torch
from torch import nn


def parameter_groups(model: nn.Module) -> tuple[list[nn.Parameter], ...]:
    """Return YOLOX's three groups in its order: scales, weights (with decay), biases.

    YOLOX collects attributes called `weight` and `bias` only, and reads `weight` of whatever has
    "bn" in its name. Here every parameter that requires a gradient is in one group, once: those
    named `bias` in the third, other 1-d ones (BatchNorm, rates, gamma) in the first, all others in
    the second. For a stock model the groups are YOLOX's, tensor by tensor.
    """
    scales: list[nn.Parameter] = []
    weights: list[nn.Parameter] = []
    biases: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():  # one that two modules share comes once
        if not parameter.requires_grad:
            continue
        if name.rpartition(".")[2] == "bias":
            biases.append(parameter)
        else:
            (scales if parameter.ndim <= 1 else weights).append(parameter)
    return scales, weights, biases


def build_sgd(
    model: nn.Module, lr: float, momentum: float, weight_decay: float
) -> torch.optim.Optimizer:
    """Return YOLOX's SGD with Nesterov momentum over `parameter_groups(model)`."""
    scales, weights, biases = parameter_groups(model)
    groups: list[dict[str, Any]] = [
        {"params": scales},
        {"params": weights, "weight_decay": weight_decay},
        {"params": biases},
    ]
    return torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=True)

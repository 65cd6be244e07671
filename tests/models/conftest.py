from collections.abc import Callable

import pytest
import torch
from yolox.models import YOLOX, YOLOXHead

from yolox_attn.models import AttentionPAFPN


@pytest.fixture
def detector() -> Callable[..., YOLOX]:
    """Return a function that makes a small detector of three classes, always from seed 0."""

    def make(attention: object = "none", **options: object) -> YOLOX:
        torch.manual_seed(0)
        neck = AttentionPAFPN(0.33, 0.125, depthwise=True, attention=attention, **options)
        model = YOLOX(neck, YOLOXHead(3, 0.125, depthwise=True))
        model.head.initialize_biases(1e-2)
        return model

    return make


@pytest.fixture
def labels() -> torch.Tensor:
    """Return two boxes of two classes for each of two images of 64 pixels."""
    return torch.tensor([[[0.0, 20, 20, 16, 12], [2, 44, 40, 30, 24]]] * 2)

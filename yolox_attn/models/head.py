"""YOLOX's head with box decoding in full precision."""

from typing import Any

import torch
from torch import Tensor
from yolox.models import YOLOXHead


class FullPrecisionHead(YOLOXHead):  # type: ignore[misc]
    """YOLOXHead that decodes boxes in float32 under autocast.

    Grid positions reach 100 cells: added in bfloat16 they move box centres by up to two pixels. In
    float32 and float64 it is YOLOX's head, bit for bit.
    """

    def get_output_and_grid(self, output: Tensor, *where: Any) -> tuple[Tensor, Tensor]:
        decoded: tuple[Tensor, Tensor] = super().get_output_and_grid(_full(output), *where)
        return decoded

    def decode_outputs(self, outputs: Tensor, dtype: str) -> Tensor:
        decoded: Tensor = super().decode_outputs(_full(outputs), dtype)
        return decoded


def _full(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x

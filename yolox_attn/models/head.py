"""YOLOX's head: box decoding in full precision, its losses without their detours."""

from typing import Any

import torch
from loguru import logger
from torch import Tensor
from torch.nn import functional
from yolox.models import YOLOXHead

from yolox_attn.device import out_of_memory
from yolox_attn.models.assignment import Anchors, Matches, Predictions, assign

IOU_LOSS_WEIGHT = 5.0
SEAMS = ("get_assignments", "get_in_boxes_info", "dynamic_k_matching")  # of YOLOX's own matching


class FullPrecisionHead(YOLOXHead):  # type: ignore[misc]
    """YOLOXHead that decodes boxes in float32 under autocast, and matches them in fewer passes.

    Grid positions reach 100 cells: added in bfloat16 they move box centres by up to two pixels. In
    float32 and float64 it is YOLOX's head, on a CPU bit for bit, losses and gradients too. YOLOX
    empties CUDA's memory cache once an image; here nothing does. An image whose boxes all lie
    outside of it stops YOLOX; here no anchor is matched with them. A subclass with a matching of
    its own keeps YOLOX's losses around it.
    """

    def get_output_and_grid(self, output: Tensor, *where: Any) -> tuple[Tensor, Tensor]:
        decoded: tuple[Tensor, Tensor] = super().get_output_and_grid(_full(output), *where)
        return decoded

    def decode_outputs(self, outputs: Tensor, dtype: str) -> Tensor:
        decoded: Tensor = super().decode_outputs(_full(outputs), dtype)
        return decoded

    def get_losses(  # noqa: PLR0913 - YOLOX's
        self,
        imgs: Any,
        x_shifts: list[Tensor],
        y_shifts: list[Tensor],
        expanded_strides: list[Tensor],
        labels: Tensor,
        outputs: Tensor,
        origin_preds: list[Tensor],
        dtype: torch.dtype,
    ) -> tuple[Any, ...]:
        """Return loss, its parts (IoU, objectness, classes, L1), and foreground anchors a box.

        Args:
            imgs: not read.
            x_shifts: columns of a level's cells, (1, A) each.
            y_shifts: rows of them, likewise.
            expanded_strides: their strides, (1, A) each.
            labels: (N, most labels, 5) as class cx cy w h, zero rows last, of the outputs' type.
            outputs: (N, A, 5 + classes): boxes cx cy w h, logits of objectness and classes.
            origin_preds: with the L1 loss the boxes before decoding, (N, A, 4) of each level.
            dtype: of the features.
        """
        if any(getattr(type(self), seam) is not getattr(YOLOXHead, seam) for seam in SEAMS):
            return super().get_losses(  # type: ignore[no-any-return]
                imgs, x_shifts, y_shifts, expanded_strides, labels, outputs, origin_preds, dtype
            )
        columns, rows, strides = (torch.cat(each, dim=1)[0].to(outputs.dtype)
                                  for each in (x_shifts, y_shifts, expanded_strides))  # fmt: skip
        anchors = Anchors((columns + 0.5) * strides, (rows + 0.5) * strides, strides)
        parts = outputs.split((4, 1, self.num_classes), dim=2)
        counts = (labels.sum(dim=2) > 0).sum(dim=1).tolist()
        truths = [labels[number, :count] for number, count in enumerate(counts)]
        foreground, truth, iou = _match(anchors, parts, truths)
        boxes, objectness, classes = (part.flatten(0, 1) for part in parts)
        one_hot = functional.one_hot(truth[:, 0].to(torch.int64), self.num_classes)
        count = max(len(iou), 1)
        loss_iou = self.iou_loss(boxes[foreground], truth[:, 1:]).sum() / count
        loss_obj = self.bcewithlog_loss(objectness, foreground.unsqueeze(1).to(dtype)).sum() / count
        loss_cls = (
            self.bcewithlog_loss(classes[foreground], one_hot * iou.unsqueeze(1)).sum() / count
        )
        loss_l1: Any = 0.0
        if self.use_l1:
            cells = [each.repeat(len(counts))[foreground] for each in (strides, columns, rows)]
            target = boxes.new_zeros(len(truth), 4)
            target = self.get_l1_target(target, truth[:, 1:], *cells)
            raw = torch.cat(origin_preds, dim=1).flatten(0, 1)[foreground]
            loss_l1 = self.l1_loss(raw, target).sum() / count
        loss_iou = IOU_LOSS_WEIGHT * loss_iou
        total = loss_iou + loss_obj + loss_cls + loss_l1
        return total, loss_iou, loss_obj, loss_cls, loss_l1, count / max(sum(counts), 1)


def _match(
    anchors: Anchors, parts: tuple[Tensor, ...], truths: list[Tensor]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return foreground anchors of all images, a mask (N * A,), their labels (M, 5), IoU (M,)."""
    matches = []
    for number, truth in enumerate(truths):
        predicted = Predictions(*(part[number].detach() for part in parts))
        try:
            matches.append(assign(anchors, predicted, truth[:, 1:], truth[:, 0]))
        except RuntimeError as error:
            if _on_cpu(truth) or not out_of_memory(error):
                raise
            logger.warning(f"no memory to match {len(truth)} boxes of an image: done on the CPU")
            here = Anchors(*(each.cpu() for each in anchors))
            moved = Predictions(*(each.cpu() for each in predicted))
            found = assign(here, moved, truth[:, 1:].cpu(), truth[:, 0].cpu())
            matches.append(Matches(*(each.to(truth.device) for each in found)))
    return (
        torch.cat([each.foreground for each in matches]),
        torch.cat([each[match.box] for each, match in zip(truths, matches, strict=True)]),
        torch.cat([each.iou for each in matches]),
    )


def _on_cpu(x: Tensor) -> bool:
    """Tell whether there is no other memory to turn to."""
    return x.device.type == "cpu"


def _full(x: Tensor) -> Tensor:
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x

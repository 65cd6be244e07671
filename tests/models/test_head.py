import torch
from yolox.models import YOLOXHead

from yolox_attn.models import FullPrecisionHead


def heads() -> tuple[YOLOXHead, FullPrecisionHead]:
    stock, ours = YOLOXHead(3, 0.125), FullPrecisionHead(3, 0.125)
    ours.load_state_dict(stock.state_dict())
    return stock, ours


def features(dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    sides, widths = (80, 40, 20), (32, 64, 128)
    return [torch.randn(1, c, s, s).to(dtype) for c, s in zip(widths, sides, strict=True)]


def test_in_float32_it_is_yoloxs_bit_for_bit() -> None:
    stock, ours = heads()
    maps = features()
    assert torch.equal(stock.eval()(maps), ours.eval()(maps))
    labels = torch.tensor([[[1.0, 300, 200, 50, 60]]])
    mine = ours.train()([m.clone() for m in maps], labels)
    theirs = stock.train()([m.clone() for m in maps], labels)
    assert torch.equal(mine[0], theirs[0])


def test_under_bfloat16_boxes_are_decoded_in_float32() -> None:
    stock, ours = heads()
    maps = features()
    with torch.no_grad():
        exact = stock.eval()(maps)
        with torch.autocast("cpu", torch.bfloat16):
            rough, full = (
                stock([m.bfloat16() for m in maps]),
                ours.eval()([m.bfloat16() for m in maps]),
            )
    assert full.dtype == torch.float32
    error = (full - exact)[..., :2].abs().max()
    assert error < 0.25  # pixels; the offsets themselves are rounded
    assert (rough.float() - exact)[..., :2].abs().max() > 1  # what this head is for

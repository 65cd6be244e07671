from typing import Any

import pytest
import torch
from yolox.models import YOLOXHead

from yolox_attn.models import FullPrecisionHead, head

SIZE = 320  # pixels


def heads(
    classes: int = 3, *, l1: bool = False, scale: float = 1.0
) -> tuple[YOLOXHead, FullPrecisionHead]:
    """Both heads with the same weights; the larger the scale, the surer they are."""
    stock, ours = YOLOXHead(classes, 0.125), FullPrecisionHead(classes, 0.125)
    with torch.no_grad():
        for parameter in stock.parameters():
            parameter.mul_(scale)
    ours.load_state_dict(stock.state_dict())
    stock.use_l1 = ours.use_l1 = l1
    return stock, ours


def features(batch: int = 1, size: int = 640) -> list[torch.Tensor]:
    widths = zip((32, 64, 128), (8, 16, 32), strict=True)
    return [torch.randn(batch, width, size // s, size // s) for width, s in widths]


def labels(batch: int, most: int, classes: int) -> torch.Tensor:
    """As many boxes as `most` in the first image, fewer in the others, perhaps none."""
    drawn = torch.zeros(batch, 120, 5)
    for number, rows in enumerate(drawn):
        count = int(torch.randint(most + 1, ())) if number else most
        rows[:count, 0] = torch.randint(classes, (count,)).float()
        rows[:count, 1:3] = torch.rand(count, 2) * SIZE
        rows[:count, 3:] = torch.rand(count, 2) * SIZE / 2 + 2
    return drawn


def trained(head: YOLOXHead, maps: list[torch.Tensor], truth: torch.Tensor) -> tuple[Any, ...]:
    """Return the losses, and the gradients of maps and parameters."""
    maps = [each.clone().requires_grad_() for each in maps]
    losses = head.train()(maps, truth.clone())
    losses[0].backward()
    return losses, [each.grad for each in [*maps, *head.parameters()]]


def test_in_float32_its_boxes_are_yoloxs_bit_for_bit() -> None:
    stock, ours = heads()
    maps = features()
    assert torch.equal(stock.eval()(maps), ours.eval()(maps))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("scale", [1.0, 3.0])
@pytest.mark.parametrize("l1", [False, True])
@pytest.mark.parametrize(("classes", "most"), [(3, 12), (80, 60), (1, 1), (20, 100)])
def test_its_losses_and_gradients_are_yoloxs_bit_for_bit(
    classes: int, most: int, l1: bool, scale: float, dtype: torch.dtype
) -> None:
    torch.manual_seed(most)
    stock, ours = (head.to(dtype) for head in heads(classes, l1=l1, scale=scale))
    maps, truth = [each.to(dtype) for each in features(3, SIZE)], labels(3, most, classes).to(dtype)
    (mine, slopes), (theirs, their_slopes) = (trained(each, maps, truth) for each in (ours, stock))
    for one, other in zip(mine, theirs, strict=True):
        assert torch.equal(torch.as_tensor(one), torch.as_tensor(other))
    for one, other in zip(slopes, their_slopes, strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize(("label", "word"), [(3, "smaller"), (-5, "negative")])
def test_a_class_that_the_head_does_not_have_is_refused_as_by_yolox(label: int, word: str) -> None:
    truth = torch.zeros(1, 120, 5)
    truth[0, 0] = torch.tensor([float(label), 20, 20, 30, 30])
    for each in heads():
        with pytest.raises(RuntimeError, match=f"Class values must be .*{word}"):
            trained(each, features(1, SIZE), truth)


@pytest.mark.parametrize("seam", head.SEAMS)
def test_a_subclass_with_a_matching_of_its_own_is_asked(seam: str) -> None:
    calls: list[str] = []

    def own(self: FullPrecisionHead, *given: Any, **named: Any) -> Any:
        calls.append(seam)
        return getattr(YOLOXHead, seam)(self, *given, **named)

    subclass = type("Own", (FullPrecisionHead,), {seam: own})(3, 0.125)
    trained(subclass, features(2, SIZE), labels(2, 5, 3))
    assert calls


def test_images_without_boxes_are_background_as_for_yolox() -> None:
    stock, ours = heads()
    maps, truth = features(2, SIZE), torch.zeros(2, 120, 5)
    mine, theirs = (trained(each, maps, truth)[0] for each in (ours, stock))
    assert [float(each) for each in mine] == [float(each) for each in theirs]


def test_no_anchor_is_matched_with_a_box_outside_the_image() -> None:
    stock, ours = heads()
    truth = torch.zeros(1, 120, 5)
    truth[0, 0] = torch.tensor([1.0, 5 * SIZE, 5 * SIZE, 10, 10])
    with pytest.raises(RuntimeError):  # what it is for
        trained(stock, features(1, SIZE), truth)
    losses, _ = trained(ours, features(1, SIZE), truth)
    assert torch.isfinite(losses[0])
    assert losses[1] == 0  # nothing is matched


def test_boxes_are_matched_on_the_cpu_where_the_device_has_no_memory(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As there is no such device here: one whose first try fails."""
    _, ours = heads()
    maps, truth = features(2, SIZE), labels(2, 5, 3)
    expected, _ = trained(ours, maps, truth)
    tries: list[bool] = []

    def short_of_memory(*given: Any) -> Any:
        tries.append(True)
        if len(tries) % 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate")
        return head_assign(*given)

    head_assign = head.assign
    monkeypatch.setattr(head, "assign", short_of_memory)
    with pytest.raises(torch.OutOfMemoryError):  # on a CPU there is no other place
        trained(ours, maps, truth)
    tries.clear()
    monkeypatch.setattr(head, "_on_cpu", lambda _: False)
    found, _ = trained(ours, maps, truth)
    assert len(tries) == 4
    assert float(found[0]) == float(expected[0])


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

"""A step that cannot go on says why, where, and on which images."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from yolox.data import MosaicDetection

from yolox_attn.core.failures import finite_gradients, finite_losses, images_of, named_failures
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.sampler import exact_loader
from yolox_attn.data.transform import CountingTransform
from yolox_attn.errors import TrainingError


def losses(**values: float) -> dict[str, object]:
    return {"total_loss": torch.tensor(1.0), **values}


def test_finite_losses_pass_and_no_images_are_looked_up() -> None:
    finite_losses(losses(iou_loss=2.0), "here", lambda: pytest.fail("looked up"))


def test_the_part_that_is_not_finite_is_named_with_the_images() -> None:
    outputs = losses(iou_loss=torch.tensor(float("nan")), conf_loss=3.5)
    outputs["total_loss"] = torch.tensor(float("nan"))
    with pytest.raises(TrainingError) as caught:
        finite_losses(outputs, "epoch 2, iteration 7", lambda: ["a.jpg", "b.jpg"])
    message = str(caught.value)
    assert message.startswith("epoch 2, iteration 7: total_loss, iou_loss not finite (")
    assert "conf_loss 3.5" in message
    assert "images a.jpg, b.jpg; nothing was saved from it" in message


def test_of_many_images_the_first_dozen_are_named() -> None:
    outputs = losses()
    outputs["total_loss"] = torch.tensor(float("inf"))
    with pytest.raises(TrainingError, match=r"11\.jpg and 8 more; "):
        finite_losses(outputs, "here", lambda: [f"{k}.jpg" for k in range(20)])


def test_gradients_that_are_not_finite_are_stopped_before_they_reach_the_weights() -> None:
    model = nn.Linear(1, 1)
    model.weight.grad = torch.ones_like(model.weight)  # the bias has none
    finite_gradients(model.parameters(), {}, "here", lambda: pytest.fail("looked up"))
    model.weight.grad.fill_(float("inf"))
    with pytest.raises(
        TrainingError, match=r"^here: gradients not finite \(total_loss 1e\+30\); images a\.jpg; "
    ):
        finite_gradients(model.parameters(), {"total_loss": 1e30}, "here", lambda: ["a.jpg"])


def too_little_cuda_memory() -> None:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")


def too_little_memory() -> None:
    torch.empty(1 << 60, dtype=torch.uint8)


@pytest.mark.parametrize("fails", [too_little_cuda_memory, too_little_memory])
def test_a_lack_of_memory_is_reported_with_what_was_tried(fails: Callable[[], None]) -> None:
    load = "8 images of 640 x 640 on cpu"
    with (
        pytest.raises(TrainingError, match=f"here: out of memory with {load}; lower -b"),
        named_failures(nn.Linear(1, 1), "here", load),
    ):
        fails()


def test_weights_that_are_not_finite_are_named() -> None:
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, float("nan"))
    with (
        pytest.raises(TrainingError, match="here: weights are not finite since the step before"),
        named_failures(model, "here", ""),
    ):
        raise RuntimeError("all elements of input should be between 0 and 1")


def test_any_other_failure_keeps_its_message() -> None:
    with (
        pytest.raises(RuntimeError, match=r"^sizes differ$"),
        named_failures(nn.Linear(1, 1), "here", ""),
    ):
        raise RuntimeError("sizes differ")


def mosaic(drawn: Path, reads: list[str] | None = None) -> MosaicDetection:
    """The augmented drawn set, which writes down what it reads if asked to."""
    images = CocoDetection(str(drawn), "instances_train2017.json", img_size=(64, 64))
    if reads is not None:
        load: Callable[[int], Any] = images.load_image

        def load_image(index: int) -> Any:
            reads.append(images.annotations[index][3])
            return load(index)

        images.load_image = load_image
    return MosaicDetection(images, img_size=(64, 64), preproc=CountingTransform(50))


def test_it_names_the_partners_too(drawn: Path) -> None:
    read: list[str] = []
    batches = iter(exact_loader(mosaic(drawn, read), 2, seed=0, workers=0))
    next(batches)
    first = set(read)
    read.clear()
    next(batches)
    loader = exact_loader(mosaic(drawn), 2, seed=0, workers=0)
    assert set(images_of(loader, [0])) == first
    assert set(images_of(loader, [1])) == set(read)
    assert images_of(loader, [0, 1])[: len(first)] == images_of(loader, [0])
    assert len(first) > 2  # four images a mosaic and one of mixup


def test_without_mosaic_it_names_the_images_alone(drawn: Path) -> None:
    loader = exact_loader(mosaic(drawn), 2, seed=0, workers=0)
    loader.batch_sampler.mosaic_batches = 0
    names = [f"{index + 1:06}.png" for _, index, _ in loader.batch_sampler.batch(3)]
    assert images_of(loader, [3]) == names


def test_asking_disturbs_nothing(drawn: Path) -> None:
    loader = exact_loader(mosaic(drawn), 2, seed=0, workers=0)
    undisturbed = next(iter(exact_loader(mosaic(drawn), 2, seed=0, workers=0)))
    torch.manual_seed(0)
    expected = torch.rand(())
    torch.manual_seed(0)
    images_of(loader, [5])
    assert "pull_item" not in vars(loader.dataset.dataset._dataset)
    assert torch.equal(torch.rand(()), expected)
    assert torch.equal(next(iter(loader))[0], undisturbed[0])


def test_a_set_without_names_gives_indices() -> None:
    loader = exact_loader([(0,)] * 5, 5, seed=0, workers=0)
    assert sorted(images_of(loader, [0])) == ["0", "1", "2", "3", "4"]

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from yolox.data import MosaicDetection

from yolox_attn.core.failures import images_of
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.sampler import exact_loader
from yolox_attn.data.transform import CountingTransform


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

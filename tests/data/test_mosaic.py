import contextlib
import io
import itertools
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from yolox.data import COCODataset, MosaicDetection, TrainTransform

from yolox_attn.data import coco_dataset, shared_images
from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.mosaic import MosaicMixup, mean_with
from yolox_attn.data.sampler import exact_loader
from yolox_attn.data.transform import CountingTransform
from yolox_attn.seed import stream

SHAPES = [(60, 80), (80, 60), (64, 64), (37, 111), (30, 20), (200, 130)]  # height, width
SIZES = [(64, 64), (96, 64)]
Make = Callable[..., MosaicDetection]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of many shapes with 0 to 5 boxes each, in COCO layout."""
    folder, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    (folder / "train2017").mkdir()
    (folder / "annotations").mkdir()
    entries, boxes = [], []
    for number, (height, width) in enumerate(SHAPES):
        pixels = rng.integers(0, 256, (height // 5, width // 5, 3), dtype=np.uint8)
        name = f"{number}.png"
        cv2.imwrite(str(folder / "train2017" / name), cv2.resize(pixels, (width, height)))
        entries.append({"id": number + 1, "file_name": name, "height": height, "width": width})
        for _ in range(number):  # the first image has none
            x, y = rng.uniform(0, 0.6 * width), rng.uniform(0, 0.6 * height)
            box = [x, y, rng.uniform(2, width - x), rng.uniform(2, height - y)]
            boxes.append({"image_id": number + 1, "bbox": box, "area": box[2] * box[3]})
    content = {
        "images": entries,
        "annotations": [
            {"id": number, "category_id": 1 + number % 3, "iscrowd": 0, **box}
            for number, box in enumerate(boxes, start=1)
        ],
        "categories": [{"id": number, "name": str(number)} for number in (1, 2, 3)],
    }
    (folder / "annotations" / "instances_train2017.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(autouse=True)
def roomy(monkeypatch: pytest.MonkeyPatch) -> None:
    """What other processes take meanwhile must not decide which images are kept."""
    for module in (coco_dataset, shared_images):
        monkeypatch.setattr(module, "free_memory", lambda: 1 << 34)


@pytest.fixture
def make(images: Path) -> Make:
    """Return a function that makes an augmented set over a fresh data set."""

    def made(
        cls: type[MosaicDetection] = MosaicMixup,
        source: type[COCODataset] = CocoDetection,
        size: tuple[int, int] = SIZES[0],
    ) -> MosaicDetection:
        with contextlib.redirect_stdout(io.StringIO()):  # YOLOX's prints
            plain = source(str(images), img_size=size)
        transform = CountingTransform if cls is MosaicMixup else TrainTransform
        return cls(plain, size, preproc=transform(20, hsv_prob=0.8), mosaic_scale=(0.1, 2))

    return made


def samples(dataset: MosaicDetection, count: int) -> list[tuple[Any, ...]]:
    """The first samples, three of four with mosaic, each with the draws that would follow."""
    taken = []
    for number in range(count):
        with stream(7, number):
            image, labels, *_ = dataset[number % 4 > 0, number % len(dataset)]
            draws = random.random(), np.random.rand()  # noqa: NPY002
        taken.append((image, labels, draws))
    return taken


def differing(first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]) -> list[int]:
    """Numbers of the samples that are not the same bits."""
    return [
        number
        for number, (one, other) in enumerate(zip(first, second, strict=True))
        if not all(
            np.array_equal(a, b) and np.asarray(a).dtype == np.asarray(b).dtype
            for a, b in zip(one, other, strict=True)
        )
    ]


@pytest.mark.parametrize("size", SIZES)
def test_samples_are_yoloxs_bit_for_bit_with_images_in_memory_or_without(
    make: Make, size: tuple[int, int]
) -> None:
    theirs = samples(make(MosaicDetection, COCODataset, size), 200)
    from_files, from_memory = make(size=size), make(size=size)
    from_memory._dataset.keep_images()
    assert differing(samples(from_files, 200), theirs) == []
    assert differing(samples(from_memory, 200), theirs) == []
    assert from_memory._dataset.kept.stored == len(SHAPES)
    assert differing(samples(from_memory, 200), theirs) == []  # no sample wrote into the memory


def test_workers_fill_one_memory_and_change_nothing(make: Make) -> None:
    batches = []
    for workers in (0, 2):
        dataset = make()
        dataset._dataset.keep_images()
        loader = exact_loader(dataset, 4, seed=3, workers=workers)
        batches.append([batch[:2] for batch in itertools.islice(loader, 12)])
        assert dataset._dataset.kept.stored == len(SHAPES)
    for alone, shared in zip(*batches, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(alone, shared, strict=True))


def test_labels_of_a_set_that_gives_its_own_array_stay_as_they_are(make: Make) -> None:
    dataset = make()
    images, labels, *_ = dataset._dataset.pull_item(3)
    dataset._dataset.pull_item = lambda _: (images, labels, None, None)
    before = images.copy(), labels.copy()
    with stream(0):
        dataset.mixup(np.zeros((64, 64, 3), np.uint8), np.zeros((0, 5)), (64, 64))
    np.testing.assert_array_equal(images, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_the_mean_of_two_pixels_is_rounded_down() -> None:
    values = np.arange(256, dtype=np.uint8)
    first, second = np.meshgrid(values, values)
    mean = mean_with(first, second[:200, :100])
    covered = (first[:200, :100].astype(int) + second[:200, :100]) // 2
    np.testing.assert_array_equal(mean[:200, :100], covered)
    np.testing.assert_array_equal(mean[200:], first[200:] // 2)
    np.testing.assert_array_equal(mean[:, 100:], first[:, 100:] // 2)

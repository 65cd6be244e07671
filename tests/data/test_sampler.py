import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, RandomSampler
from yolox.data import DataLoader, InfiniteSampler, MosaicDetection, YoloBatchSampler

from yolox_attn.data.coco_dataset import CocoDetection
from yolox_attn.data.sampler import ExactBatches, exact_loader, make_exact
from yolox_attn.data.transform import CountingTransform
from yolox_attn.seed import seed_everything


@pytest.fixture
def mosaic(drawn: Path) -> Callable[..., MosaicDetection]:
    """Return a function that makes YOLOX's augmented set over the drawn one."""

    def make(max_labels: int = 50, **settings: Any) -> MosaicDetection:
        images = CocoDetection(str(drawn), "instances_train2017.json", img_size=(64, 64))
        transform = CountingTransform(max_labels)
        return MosaicDetection(images, img_size=(64, 64), preproc=transform, **settings)

    return make


def batches_of(loader: DataLoader, count: int) -> list[list[torch.Tensor]]:
    return [list(batch) for batch in itertools.islice(loader, count)]


def equal(first: list[Any], second: list[Any]) -> bool:
    """Tell whether images, labels and counts of all batches are the same bits."""
    return len(first) == len(second) and all(
        torch.equal(a[part], b[part])
        for a, b in zip(first, second, strict=True)
        for part in (0, 1, -1)
    )


def test_the_number_of_workers_changes_nothing(mosaic: Callable[..., MosaicDetection]) -> None:
    loaded = {}
    for workers in (0, 1, 2):
        torch.rand(workers)  # what the run drew before must not matter either
        loaded[workers] = batches_of(exact_loader(mosaic(), 4, seed=3, workers=workers), 7)
    assert equal(loaded[0], loaded[1])
    assert equal(loaded[0], loaded[2])


@pytest.mark.parametrize("workers", [0, 2])
def test_it_goes_on_from_any_batch(mosaic: Callable[..., MosaicDetection], workers: int) -> None:
    """Across the end of a pass over the 12 images and the switch to plain ones."""

    def loader(start: int) -> DataLoader:
        made = exact_loader(mosaic(), 5, seed=3, workers=workers)
        made.batch_sampler.start, made.batch_sampler.mosaic_batches = start, 4
        return made

    whole = batches_of(loader(0), 6)
    for start in (1, 3, 5):
        assert equal(batches_of(loader(start), 6 - start), whole[start:])


def test_two_seeds_differ_in_order_and_augmentation(
    mosaic: Callable[..., MosaicDetection],
) -> None:
    first, second = (exact_loader(mosaic(), 4, seed=seed, workers=0) for seed in (0, 1))
    assert first.batch_sampler.batch(0) != second.batch_sampler.batch(0)
    address = (True, 2, 9)  # the same image at the same place
    assert not np.array_equal(first.dataset[address][0], second.dataset[address][0])


def test_an_image_looks_different_each_time_it_comes(
    mosaic: Callable[..., MosaicDetection],
) -> None:
    samples = exact_loader(mosaic(), 4, seed=0, workers=0).dataset
    assert not np.array_equal(samples[True, 2, 9][0], samples[True, 2, 21][0])


def test_loading_leaves_the_global_streams_alone(mosaic: Callable[..., MosaicDetection]) -> None:
    seed_everything(4)
    expected = torch.rand(())
    seed_everything(4)
    batches_of(exact_loader(mosaic(), 4, seed=3, workers=0), 2)
    assert torch.equal(torch.rand(()), expected)


def test_every_pass_shows_each_image_once_in_another_order() -> None:
    batches = ExactBatches(10, 4, seed=0)
    shown = [index for b in range(5) for _, index, _ in batches.batch(b)]
    assert sorted(shown[:10]) == sorted(shown[10:]) == list(range(10))
    assert shown[:10] != shown[10:]
    assert [counter for _, _, counter in batches.batch(3)] == [12, 13, 14, 15]
    assert len(batches) == 3
    assert len(ExactBatches(12, 4, seed=0)) == 3


def test_the_order_is_fixed_for_ever() -> None:
    """Another order would end the continuation of every run begun before."""
    order = [index for _, index, _ in ExactBatches(8, 8, seed=0).batch(0)]
    assert order == [7, 5, 6, 0, 3, 4, 1, 2]


def test_two_ranks_together_see_what_one_sees() -> None:
    alone = ExactBatches(11, 6, seed=2)
    pair = [ExactBatches(11, 6, seed=2, rank=rank, ranks=2) for rank in (0, 1)]
    for number in range(5):
        parts = [one.batch(number) for one in pair]
        assert [len(part) for part in parts] == [3, 3]
        assert sorted(parts[0] + parts[1]) == sorted(alone.batch(number))
    assert len(pair[0]) == len(alone)


def test_a_batch_that_cannot_be_shared_is_refused() -> None:
    for size, batch_size, ranks in ((0, 4, 1), (9, 5, 2), (9, 0, 1)):
        with pytest.raises(ValueError, match=r"no image|share"):
            ExactBatches(size, batch_size, seed=0, ranks=ranks)


def with_mosaic(batches: ExactBatches, numbers: range) -> list[bool]:
    return [all(mosaic for mosaic, _, _ in batches.batch(number)) for number in numbers]


def test_mosaic_ends_at_its_batch_however_far_workers_fetch_ahead(
    mosaic: Callable[..., MosaicDetection],
) -> None:
    loader = exact_loader(mosaic(), 4, seed=0, workers=0)
    batches = loader.batch_sampler
    batches.mosaic_batches = 2
    assert with_mosaic(batches, range(4)) == [True, True, False, False]
    loader.close_mosaic()  # YOLOX's call, later than the workers' look at it
    assert with_mosaic(batches, range(4)) == [True, True, False, False]
    batches.mosaic_batches = None
    assert with_mosaic(batches, range(2)) == [False, False]
    never = ExactBatches(9, 3, seed=0, mosaic=False)
    never.mosaic_batches = 2
    assert with_mosaic(never, range(4)) == [False] * 4


def test_cut_labels_are_counted_by_sample(mosaic: Callable[..., MosaicDetection]) -> None:
    whole, cut = (
        batches_of(exact_loader(mosaic(labels), 4, seed=0, workers=0), 3) for labels in (50, 2)
    )
    boxes = torch.stack([(batch[1].sum(dim=2) > 0).sum(dim=1) for batch in whole])
    counts = torch.stack([batch[-1] for batch in cut])
    assert counts.sum() > 0
    assert torch.equal(counts, (boxes - 2).clamp(min=0))
    assert not any(batch[-1].any() for batch in whole)


class PlainSet(torch.utils.data.Dataset[Any]):
    """A user's set under (mosaic, index), without a transform that counts."""

    def __len__(self) -> int:
        return 12

    def __getitem__(self, address: tuple[bool, int]) -> tuple[torch.Tensor, int]:
        return torch.rand(3), address[1]


def stock_loader(sampler: Any, **settings: Any) -> DataLoader:
    batches = YoloBatchSampler(sampler, 4, drop_last=False)
    return DataLoader(PlainSet(), batch_sampler=batches, **settings)


def test_a_loader_in_yoloxs_way_becomes_exact() -> None:
    def collate(items: list[Any]) -> list[Any]:
        return items

    given = stock_loader(InfiniteSampler(12), collate_fn=collate)
    loader = make_exact(given, 4, seed=1)
    assert loader is not None
    assert loader.dataset.dataset is given.dataset
    first, second = (next(iter(loader)) for _ in range(2))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert [item[-1] for item in first] == [0] * 4
    assert make_exact(loader, 4, seed=1) is loader


def test_an_order_of_the_users_own_is_left_alone() -> None:
    assert make_exact(stock_loader(RandomSampler(PlainSet())), 4, seed=0) is None
    assert make_exact(stock_loader(InfiniteSampler(12, shuffle=False)), 4, seed=0) is None
    assert make_exact(stock_loader(InfiniteSampler(6)), 4, seed=0) is None
    plain = BatchSampler(InfiniteSampler(12), 4, drop_last=False)
    assert make_exact(DataLoader(PlainSet(), batch_sampler=plain), 4, seed=0) is None


def test_two_variants_see_the_same_batches(tiny: Callable[..., Any]) -> None:
    """Ten passes over the 12 images, pixel by pixel; what a number holds is settled above."""
    seen = []
    for attention, seed in (("none", 0), ("cam", 0), ("none", 1)):
        exp = tiny(attention=attention, seed=seed)
        seed_everything(seed)
        exp.get_model()  # a variant draws its blocks' weights from the global stream
        seen.append(batches_of(exp.get_data_loader(batch_size=4, is_distributed=False), 30))
    baseline, variant, of_another_seed = seen
    assert equal(baseline, variant)
    assert not equal(baseline, of_another_seed)

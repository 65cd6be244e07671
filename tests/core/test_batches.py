import torch

from yolox_attn.core.batches import Batches


def test_batches_come_one_by_one_as_float32_and_only_when_needed() -> None:
    drawn: list[int] = []

    class Loader:
        batch_sampler = None

        def __iter__(self) -> object:
            for index in range(3):
                drawn.append(index)
                yield torch.full((1, 3, 2, 2), index, dtype=torch.uint8), torch.ones(1, 4, 5), 0, 0

    batches = Batches(Loader(), torch.device("cpu"))
    assert drawn == []
    first, second = batches.take(2)
    assert drawn == [0, 1]
    images, labels = batches.move(second)
    assert images.dtype == labels.dtype == torch.float32
    assert (images.unique(), first.images.unique()) == (1, 0)
    assert first.cut == 0

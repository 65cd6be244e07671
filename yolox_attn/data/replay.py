"""Which images went into a batch: found by computing it again."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any


def images_of(loader: Any, numbers: Iterable[int]) -> list[str]:
    """Return the file names of all images that went into these batches of an exact loader.

    Partners of mosaic and mixup included: the batches are computed again, in this process. An
    index stands for the name where the data set keeps no names as the host does.
    """
    names: dict[str, None] = {}  # a set that keeps its order
    addresses = [address for number in numbers for address in loader.batch_sampler.batch(number)]
    with _recorded(loader.dataset.dataset, names) as recorded:
        for address in addresses:
            if recorded:
                loader.dataset[address]
            else:
                names.setdefault(str(address[1]))
    return list(names)


@contextmanager
def _recorded(dataset: Any, names: dict[str, None]) -> Iterator[bool]:
    """Write down each image that `pull_item` reads; False where there is no such method."""
    images = getattr(dataset, "_dataset", dataset)  # the host's mosaic wraps the data set
    if not hasattr(images, "pull_item"):
        yield False
        return
    pull_item = images.pull_item

    def pull_and_record(index: int) -> Any:
        names.setdefault(_name(images, index))
        return pull_item(index)

    images.pull_item = pull_and_record
    try:
        yield True
    finally:
        del images.pull_item


def _name(images: Any, index: int) -> str:
    try:
        return str(images.annotations[index][3])  # as the host's COCODataset keeps it
    except (AttributeError, LookupError, TypeError):
        return str(index)

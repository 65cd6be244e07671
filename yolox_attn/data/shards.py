"""Which images of a set each process evaluates."""

from collections.abc import Iterator

from torch.utils.data import Sampler


class Share(Sampler[int]):
    """Rank r of W gets images r, r + W, r + 2 W ...: every image once, none repeated to pad.

    Shares may differ by one image, and a rank beyond the number of images gets none: nothing in
    an evaluation waits for another rank before its end.

    Args:
        size: images of the set.
        rank: of this process.
        ranks: how many there are.
    """

    def __init__(self, size: int, rank: int, ranks: int) -> None:
        if not 0 <= rank < ranks:
            raise ValueError(f"rank {rank} of {ranks}")
        self.indices = range(rank, size, ranks)

    def __iter__(self) -> Iterator[int]:
        return iter(self.indices)

    def __len__(self) -> int:
        return len(self.indices)
